// A process with a stack of npm: `node worker.js STACK DESCRIPTOR`. Requests and replies are lines of JSON on the
// inherited socket; it ends when the socket does.
import { webcrypto } from "node:crypto";
import { createRequire } from "node:module";
import { Socket } from "node:net";
import { createInterface } from "node:readline";

import "./agent.js";

globalThis.crypto ??= webcrypto;
const require = createRequire(import.meta.url);

// The library's own interface: its W3C one is a layer of JavaScript on top of it.
class DataChannel {
  #native;
  #low = null;

  constructor(native) {
    this.#native = native;
    native.setBufferedAmountLowThreshold(globalThis.LOW);
    native.onBufferedAmountLow(() => {
      const low = this.#low;
      this.#low = null;
      low?.();
    });
  }

  send(bytes) {
    this.#native.sendMessageBinary(bytes);
  }

  buffered() {
    return this.#native.bufferedAmount();
  }

  onOpen(call) {
    if (this.#native.isOpen()) call();
    else this.#native.onOpen(call);
  }

  onMessage(call) {
    this.#native.onMessage(call);
  }

  onLow(call) {
    this.#low = call;
  }
}

const dataChannelStack = ({ PeerConnection }) => (signal, channel) => {
  const native = new PeerConnection("benchmark", { iceServers: [] });
  native.onLocalDescription((sdp, type) => signal("description", { type, sdp }));
  native.onLocalCandidate((candidate, sdpMid) => signal("candidate", { candidate, sdpMid }));
  native.onDataChannel((one) => channel(new DataChannel(one)));
  return {
    create: (label) => new DataChannel(native.createDataChannel(label)), // this makes the offer, too
    offer: async () => {},
    take: async (kind, content) => {
      if (kind === "candidate") native.addRemoteCandidate(content.candidate, content.sdpMid);
      else native.setRemoteDescription(content.sdp, content.type);
    },
    close: () => native.close(),
  };
};

const stacks = {
  "wrtc": () => globalThis.w3cStack(require("@roamhq/wrtc").RTCPeerConnection),
  "node-datachannel": () => dataChannelStack(require("node-datachannel")),
};

const [stack, descriptor] = process.argv.slice(2);
const agent = new globalThis.BenchmarkAgent(stacks[stack]());
const socket = new Socket({ fd: Number(descriptor), readable: true, writable: true });

for await (const line of createInterface({ input: socket })) {
  const { id, ...request } = JSON.parse(line);
  Promise.resolve()
    .then(() => agent.handle(request))
    .then((result) => ({ id, result: result ?? null }))
    .catch((error) => ({ id, error: String(error) }))
    .then((reply) => socket.write(JSON.stringify(reply) + "\n"));
}
process.exit(0);
