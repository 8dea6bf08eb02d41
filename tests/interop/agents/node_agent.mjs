// A WebRTC peer in Node: requests and replies are lines of JSON on stdin and stdout. The argument is the package.
import { createInterface } from "node:readline";
import { createRequire } from "node:module";
import { webcrypto } from "node:crypto";

import { WebRtcAgent } from "./webrtc.js";
import { WrtcMedia } from "./wrtc-media.mjs";

globalThis.crypto ??= webcrypto;
const require = createRequire(import.meta.url);

const makers = {
  "werift": () => {
    const { RTCPeerConnection } = require("werift");
    return () => new RTCPeerConnection({ iceServers: [], iceAdditionalHostAddresses: ["127.0.0.1"] });
  },
  "@roamhq/wrtc": () => {
    const { RTCPeerConnection } = require("@roamhq/wrtc");
    return () => new RTCPeerConnection({ iceServers: [] });
  },
  "node-datachannel": () => {
    const { RTCPeerConnection } = require("node-datachannel/polyfill");
    // Its createOffer() knows no offer but the one that the first channel made, and waits for that for ever on the side
    // that answered. The library beneath makes a new one when it is told to set one.
    class Connection extends RTCPeerConnection {
      async createOffer() {
        return { type: "offer" };
      }
    }
    return () => new Connection({ iceServers: [] });
  },
};

// Native libraries print to stdout as they like; the replies have their own way out.
const out = process.stdout.write.bind(process.stdout);
const name = process.argv[2];
const media = name === "@roamhq/wrtc" ? new WrtcMedia(require(name)) : null;
const agent = new WebRtcAgent(makers[name](), media);

for await (const line of createInterface({ input: process.stdin })) {
  const { id, ...request } = JSON.parse(line);
  Promise.resolve()
    .then(() => agent.handle(request))
    .then((result) => out(JSON.stringify({ id, result: result ?? null }) + "\n"))
    .catch((error) => out(JSON.stringify({ id, error: String(error?.stack ?? error) }) + "\n"));
}
process.exit(0);
