// The connection with one other member: offers and answers, the control channel, data channels, streams
// (protocol/control.md).

import { decode, encode } from "./protobuf.js";
import { TaskQueue } from "./queues.js";
import { Streams } from "./streams.js";
import { Transfers } from "./transfers.js";

const SIGNAL = 1;
const CHANNEL = 2;
const FRAME = [
  [1, "event", "uint32"],
  [2, "payload", "bytes"],
];

const CANDIDATE_DEBOUNCE = 50;
const LOST = new Set(["failed", "closed"]);

export const ufragOf = (description) => description?.sdp.match(/^a=ice-ufrag:(.*?)\r?$/m)?.[1];

export class Connection {
  #native;
  #control;
  #streams;
  #queue = new TaskQueue();
  #polite;
  #send;
  #emit;
  #timeout;
  #timer = null;
  #batch = [];
  #batchTimer = null;
  #early = [];
  #ignoring = false;
  #wanted;
  #shared;
  #quirks;

  // send(kind, message) goes over the broker; emit(name, event) to the application. `labels` are the channels that
  // the application has opened, `streams` what it shares, both by label.
  constructor({ id, metadata, polite, timeout, labels, streams, quirks, iceServers, send, emit }) {
    this.id = id;
    this.metadata = metadata;
    this.state = "new";
    this.channels = new Map();
    this.#polite = polite;
    this.#timeout = timeout;
    this.#wanted = labels;
    this.#shared = streams;
    this.#quirks = quirks;
    this.#send = send;
    this.#emit = (name, event = {}) => setTimeout(() => emit(name, { peer: this, ...event }));
    this.#native = new RTCPeerConnection({ iceServers });
    this.#streams = new Streams(this.#native, this.#emit);
    this.#native.onnegotiationneeded = () => this.#run(() => this.#offer());
    this.#native.onicecandidate = ({ candidate }) => candidate && this.#sendCandidate(candidate);
    this.#native.oniceconnectionstatechange = () => this.#follow(this.#native.iceConnectionState);
    this.#native.onsignalingstatechange = () => {
      if (this.#native.signalingState === "stable") this.#ignoring = false;
    };
    this.#native.ondatachannel = ({ channel }) => this.#adopt(channel);
    this.#control = this.#native.createDataChannel("", { negotiated: true, id: 0, ordered: true });
    this.#control.binaryType = "arraybuffer";
    this.#control.onopen = () => this.#open();
    this.#control.onmessage = ({ data }) => this.#receiveFrame(data);
    this.#control.onclose = () => this.close();
    this.#restartTimer();
  }

  // -- states

  #follow(state) {
    if (state === "new" || state === "checking") this.#become("connecting");
    else if (state === "connected" || state === "completed") {
      clearTimeout(this.#timer);
      this.#become("connected");
    } else if (state === "disconnected") {
      this.#restartTimer();
      this.#become("disconnected");
    } else if (state === "failed") this.#fail();
  }

  #become(state) {
    if (this.state === state || LOST.has(this.state)) return;
    this.state = state;
    this.#emit(`connection:${state}`);
  }

  #restartTimer() {
    clearTimeout(this.#timer);
    if (this.#timeout > 0) this.#timer = setTimeout(() => this.#fail(), this.#timeout * 1000);
  }

  #fail() {
    this.#become("failed");
    this.close();
  }

  close() {
    if (this.state === "closed") return;
    this.state = "closed";
    clearTimeout(this.#timer);
    clearTimeout(this.#batchTimer);
    this.#native.close();
    for (const { transfers } of this.channels.values()) transfers?.end();
    this.#streams.end();
    this.#emit("connection:closed");
  }

  // -- offers and answers, one thing after the other

  #run(task) {
    return this.#queue.run(async () => {
      if (this.state === "closed") return;
      await task();
    }).catch((error) => this.state === "closed" || this.#emit("error", { error }));
  }

  async #offer() {
    if (this.#native.signalingState !== "stable") return;
    await this.#native.setLocalDescription(await this.#native.createOffer());
    const { type, sdp } = this.#native.localDescription;
    if (this.#hasControl) this.#sendFrame(SIGNAL, [{ type, sdp }, this.#streams.labels]);
    else await this.#send("offer", { type, sdp });
  }

  // Over either way; `fitting` takes the candidates that have waited for the description.
  receiveDescription(description, fitting = () => []) {
    return this.#run(async () => {
      if (description.type === "offer" && this.#native.signalingState !== "stable") {
        if (!this.#polite) {
          this.#ignoring = true;
          this.#early = [];
          return;
        }
        await this.#native.setLocalDescription({ type: "rollback" });
      }
      await this.#native.setRemoteDescription(description);
      const early = [...this.#early.splice(0), ...fitting(ufragOf(description))];
      if (description.type === "offer") await this.#answer();
      for (const candidate of early) await this.#add(candidate);
    });
  }

  async #answer() {
    await this.#native.setLocalDescription(await this.#native.createAnswer());
    const { type, sdp } = this.#native.localDescription;
    if (this.#hasControl) this.#sendFrame(SIGNAL, [{ type, sdp }]);
    else await this.#send("answer", { type, sdp });
  }

  // -- candidates

  #sendCandidate(native) {
    const { candidate, sdpMid, sdpMLineIndex, usernameFragment } = native;
    const plain = { candidate, sdpMid, sdpMLineIndex, usernameFragment };
    if (this.#hasControl) {
      this.#sendFrame(SIGNAL, [plain]);
      return;
    }
    this.#batch.push(plain);
    clearTimeout(this.#batchTimer);
    this.#batchTimer = setTimeout(() => this.#send("candidate", this.#batch.splice(0)), CANDIDATE_DEBOUNCE);
  }

  get remoteUfrag() {
    return ufragOf(this.#native.remoteDescription);
  }

  receiveCandidate(candidate) {
    return this.#run(() => this.#add(candidate));
  }

  async #add(candidate) {
    if (this.#ignoring || !candidate.candidate) return;
    if (!this.#native.remoteDescription) this.#early.push(candidate);
    else await this.#native.addIceCandidate(candidate);
  }

  // -- the control channel

  get #hasControl() {
    return this.#control.readyState === "open";
  }

  #sendFrame(event, message) {
    const payload = new TextEncoder().encode(JSON.stringify(message));
    this.#control.send(encode(FRAME, { event, payload }));
  }

  #receiveFrame(data) {
    if (typeof data === "string" || data.byteLength === 0) return;
    let frame;
    try {
      frame = decode(FRAME, new Uint8Array(data));
    } catch {
      return;
    }
    if (frame.payload === undefined) return;
    try {
      const message = JSON.parse(new TextDecoder().decode(frame.payload));
      if (frame.event === SIGNAL) this.#receiveSignal(message);
      else if (frame.event === CHANNEL) this.#receiveRequest(message);
    } catch (error) {
      this.#emit("error", { error });
    }
  }

  #receiveSignal([signal, labels]) {
    if (signal.type === "offer") this.#streams.learn(labels);
    if (signal.sdp !== undefined) this.receiveDescription(signal);
    else this.receiveCandidate(signal);
  }

  #receiveRequest({ label, ...options }) {
    if (label === undefined) return;
    this.open(label, options);
  }

  #open() {
    for (const [label, options] of this.#wanted) this.open(label, options);
    for (const [label, stream] of this.#shared) this.share(label, stream);
  }

  // -- streams: added when their labels can go along

  share(label, stream) {
    if (this.#hasControl) this.#streams.share(label, stream);
  }

  unshare(label) {
    this.#streams.unshare(label);
  }

  // -- data channels: one side makes them, the other one asks for them

  open(label, options = {}) {
    if (!this.#hasControl) return;
    if (this.#polite) this.#sendFrame(CHANNEL, { ...options, label });
    else if (!this.channels.has(label)) this.#adopt(this.#native.createDataChannel(label, options));
  }

  #adopt(native) {
    const { label } = native;
    native.binaryType = "arraybuffer";
    const channel = { label, native };
    this.channels.set(label, channel);
    const emit = (name, event = {}) => this.#emit(`channel:${name}`, { channel, label, ...event });
    const framed = native.protocol === "" && native.ordered;
    channel.transfers = framed
      ? new Transfers(native, {
          onMessage: (message) => emit("message", { message, info: message.info }),
          onError: (error) => emit("error", { error }),
          quirks: this.#quirks,
        })
      : null;
    native.onmessage = ({ data }) => {
      if (framed && typeof data !== "string") channel.transfers.receive(data);
      else emit("message", { raw: data });
    };
    // One that comes from the other side is open already, and Firefox still says that it opens.
    const opened = () => emit("open");
    native.addEventListener("open", opened, { once: true });
    native.onclose = () => {
      if (this.channels.get(label) === channel) this.channels.delete(label);
      emit("close");
    };
    emit("new");
    if (native.readyState === "open") {
      native.removeEventListener("open", opened);
      opened();
    }
  }

  closeChannel(label) {
    this.channels.get(label)?.native.close();
  }

  async send(message, label, options) {
    const channel = this.channels.get(label);
    if (channel?.native.readyState !== "open") throw new Error(`No channel found for label: ${label}`);
    if (!channel.transfers) throw new Error("Channel is not supported");
    await channel.transfers.send(message, options);
  }
}
