// Files on their way, in either direction: what the log shows of them, and what stops them (protocol/files.md).

import { faultOfFileName, oneLine, transferTrouble } from "./words.js";

export const MAX_FILE_SIZE = 1_000_000_000; // bytes; what comes in stays in the browser until it is saved
const MAX_AT_ONCE = 16;
const MAX_CHECKED_SIZE = 256_000_000; // bytes; browsers take checksums of what is in memory only
const PART_SIZE = 8_000_000; // bytes

const hex = (bytes) => Array.from(new Uint8Array(bytes), (byte) => byte.toString(16).padStart(2, "0")).join("");

const checksum = async (blob) => hex(await crypto.subtle.digest("SHA-256", await blob.arrayBuffer()));

export const isFile = (info) => typeof info === "object" && typeof info?.name === "string";

// Who wants files: commands that send or only chat say so, and would throw a file away.
export const takesFiles = ({ metadata }) => !["send", "none"].includes(metadata?.files);

// One file on its way. `state` is waiting, running, done, failed or cancelled; `watch` hears of every change.
class FileTransfer {
  #watchers = new Set();

  constructor(direction, name, size) {
    this.direction = direction;
    this.name = name;
    this.size = size;
    this.current = 0;
    this.state = "waiting";
    this.detail = "";
    this.blob = null;
    this.startedAt = null;
  }

  get over() {
    return this.state !== "waiting" && this.state !== "running";
  }

  watch(watcher) {
    this.#watchers.add(watcher);
  }

  become(state, detail = "") {
    if (this.over) return;
    this.state = state;
    this.detail = detail;
    if (state === "running") this.startedAt = performance.now();
    this.changed();
  }

  advance(current) {
    if (this.state === "waiting") this.become("running");
    this.current = current;
    this.changed();
  }

  changed() {
    for (const watcher of this.#watchers) watcher(this);
  }
}

export class OutgoingFile extends FileTransfer {
  #file;
  #stop = new AbortController();

  constructor(file, receivers) {
    super("out", oneLine(file.name), file.size);
    this.#file = file;
    this.receivers = receivers;
    this.failures = new Map();
  }

  cancel() {
    this.become("cancelled", "you stopped it");
    this.#stop.abort(new Error("Aborted by the user"));
  }

  // To all receivers, each at its own pace.
  async run(label) {
    try {
      const info = await this.#describe();
      const sent = new Map();
      const send = async (peer) => {
        const onProgress = ({ current }) => {
          sent.set(peer.id, current);
          this.advance(Array.from(sent.values()).reduce((sum, each) => sum + each, 0) / this.receivers.length);
        };
        try {
          await peer.send(this.#file, label, { info, onProgress, signal: this.#stop.signal });
        } catch (error) {
          this.failures.set(peer, transferTrouble(error));
        }
      };
      await Promise.all(this.receivers.map(send));
      this.#finish();
    } catch (error) {
      this.become("failed", transferTrouble(error));
    }
  }

  async #describe() {
    const { name, size, type } = this.#file;
    const info = type ? { name, size, type } : { name, size };
    return size > MAX_CHECKED_SIZE ? info : { ...info, sha256: await checksum(this.#file) };
  }

  #finish() {
    const reasons = Array.from(new Set(this.failures.values()));
    if (this.failures.size === this.receivers.length) this.become("failed", reasons.join("; "));
    else this.become("done");
  }
}

export class IncomingFile extends FileTransfer {
  #message;

  constructor(peer, { message, info }) {
    const size = Number.isSafeInteger(info.size) && info.size >= 0 ? info.size : null;
    super("in", oneLine(info.name.slice(0, 1000)), size);
    this.#message = message;
    this.info = info;
    this.peer = peer;
  }

  cancel() {
    this.become("cancelled", "you stopped it");
    this.#message.cancel();
  }

  // Takes it, or says why not; `running` is how many are on their way already.
  async run(running) {
    const fault = this.#fault(running);
    try {
      if (fault !== null) throw new Error(fault);
      const blob = await this.#collect();
      await this.#check(blob);
      this.blob = blob;
      this.become("done");
    } catch (error) {
      this.become("failed", transferTrouble(error));
      this.#message.cancel();
    }
  }

  #fault(running) {
    if (running >= MAX_AT_ONCE) return `${MAX_AT_ONCE} files are on their way already`;
    if (this.size > MAX_FILE_SIZE) return "it is too large for this page; peerix receive takes it";
    return faultOfFileName(this.info.name);
  }

  // Parts become blobs early: the browser may move those out of the memory.
  async #collect() {
    const limit = this.size ?? MAX_FILE_SIZE;
    const blobs = [];
    let part = [];
    let partSize = 0;
    for await (const chunk of this.#message) {
      part.push(chunk);
      partSize += chunk.length;
      this.advance(this.current + chunk.length);
      if (this.current > limit) throw new Error("it is larger than was announced");
      if (partSize < PART_SIZE) continue;
      blobs.push(new Blob(part));
      part = [];
      partSize = 0;
    }
    // Of no type that a browser would run or show as a page of ours.
    return new Blob([...blobs, ...part], { type: "application/octet-stream" });
  }

  async #check(blob) {
    if (this.size !== null && blob.size !== this.size) throw new Error("a part of it is missing");
    this.size = blob.size;
    const { sha256 } = this.info;
    if (sha256 === undefined || blob.size > MAX_CHECKED_SIZE) return;
    if ((await checksum(blob)) !== sha256) throw new Error("its checksum is wrong");
  }
}
