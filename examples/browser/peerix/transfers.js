// Messages of any size on a data channel (protocol/transfer.md), the way Peerix 0.7 does it: one at a time, each
// acknowledged, and with an abort that looks like a cancellation by the receiver.

import { decode, encode } from "./protobuf.js";
import { Mailbox, TaskQueue } from "./queues.js";

const TEXT = 1;
const JSON_VALUE = 2;
const BLOB = 3;
const BYTES = 4;

const CHUNK_SIZE = 16320;
const MAX_ID = 65535;
const MAX_BUFFERED = 262144;
const LOW_BUFFERED = 32768;
const ANSWER_TIMEOUT = 10_000;

const PACKET = [
  [1, "id", "uint32"],
  [2, "ask", "bool"],
  [3, "index", "uint32"],
  [4, "type", "uint32"],
  [5, "abort", "bool"],
  [6, "done", "bool"],
  [7, "info", "bytes"],
  [8, "chunk", "bytes"],
];

const toContent = async (message) => {
  if (typeof message === "string") return [TEXT, new TextEncoder().encode(message)];
  if (message instanceof Blob) return [BLOB, new Uint8Array(await message.arrayBuffer())];
  if (message instanceof ArrayBuffer) return [BYTES, new Uint8Array(message)];
  if (ArrayBuffer.isView(message)) return [BYTES, new Uint8Array(message.buffer, message.byteOffset, message.byteLength)];
  return [JSON_VALUE, new TextEncoder().encode(JSON.stringify(message ?? null))];
};

const parse = (bytes) => {
  try {
    return JSON.parse(new TextDecoder().decode(bytes));
  } catch {
    return undefined;
  }
};

// A message that is arriving.
export class IncomingMessage {
  #chunks = new Mailbox();
  #whole = null;

  constructor(type, info, cancel) {
    this.type = type;
    this.info = info;
    this.received = 0;
    this.index = 0;
    this.cancelled = false;
    this.cancel = () => {
      if (this.cancelled) return;
      this.cancelled = true;
      this.fail(new Error("Cancelled"));
      cancel();
    };
  }

  add(chunk) {
    this.received += chunk.length;
    this.#chunks.put(chunk);
  }

  end() {
    this.#chunks.close();
  }

  fail(error) {
    this.#chunks.close(error);
  }

  // The whole message as what it was sent as.
  value() {
    this.#whole ??= this.#collect();
    return this.#whole;
  }

  async #collect() {
    const chunks = [];
    for await (const chunk of this.#chunks) chunks.push(chunk);
    const blob = new Blob(chunks);
    if (this.type === TEXT) return blob.text();
    if (this.type === JSON_VALUE) return JSON.parse(await blob.text());
    return this.type === BLOB ? blob : blob.arrayBuffer();
  }
}

export class Transfers {
  #native;
  #lastId = 0;
  #outgoing = new Map();
  #incoming = new Map();
  #turns = new TaskQueue();
  #onMessage;
  #onError;

  constructor(native, { onMessage, onError }) {
    this.#native = native;
    this.#onMessage = onMessage;
    this.#onError = onError;
    native.bufferedAmountLowThreshold = LOW_BUFFERED;
    native.addEventListener("close", () => this.#end());
  }

  // -- sending

  send(message, { info, onProgress, signal } = {}) {
    return this.#turns.run(() => this.#transfer(message, info, onProgress, signal));
  }

  async #transfer(message, info, onProgress, signal) {
    const [type, content] = await toContent(message);
    const infoBytes = info === undefined ? undefined : new TextEncoder().encode(JSON.stringify(info));
    const infoLength = infoBytes?.length ?? 0;
    if (infoLength >= CHUNK_SIZE) throw new Error("Metadata is too large");
    if (content.length === 0) return; // nothing is put on the wire for it
    const id = (this.#lastId % MAX_ID) + 1;
    this.#lastId = id;
    const outgoing = { waiting: false, ...Promise.withResolvers() };
    outgoing.promise.catch(() => {});
    this.#outgoing.set(id, outgoing);
    const stop = () => outgoing.reject(signal.reason ?? new Error("Aborted"));
    signal?.addEventListener("abort", stop);
    try {
      let index = 0;
      for (let at = 0; at < content.length; index++) {
        const chunk = content.subarray(at, at + CHUNK_SIZE - (index === 0 ? infoLength : 0));
        at += chunk.length;
        const first = index === 0 ? { type, info: infoBytes } : {};
        const packet = encode(PACKET, { id, index, ...first, done: at === content.length, chunk });
        await this.#room(packet.length);
        if (signal?.aborted) throw signal.reason;
        this.#native.send(packet);
        onProgress?.({ current: at, total: content.length });
      }
      outgoing.waiting = true;
      const timer = setTimeout(() => outgoing.reject(new Error("Transfer timed out")), ANSWER_TIMEOUT);
      await outgoing.promise.finally(() => clearTimeout(timer));
    } catch (error) {
      if (this.#native.readyState === "open") this.#native.send(encode(PACKET, { id, ask: true, abort: true }));
      throw error;
    } finally {
      signal?.removeEventListener("abort", stop);
      this.#outgoing.delete(id);
    }
  }

  async #room(length) {
    while (this.#native.bufferedAmount > MAX_BUFFERED - length) {
      await new Promise((resolve, reject) => {
        const timer = setTimeout(() => reject(new Error("Transfer timed out")), ANSWER_TIMEOUT);
        const go = () => (clearTimeout(timer), resolve());
        this.#native.addEventListener("bufferedamountlow", go, { once: true });
      });
    }
    if (this.#native.readyState !== "open") throw new Error("The channel is closed");
  }

  // -- receiving

  receive(data) {
    if (data.byteLength === 0) return;
    let packet;
    try {
      packet = decode(PACKET, new Uint8Array(data));
    } catch {
      this.#onError(new Error("Failed to decode message"));
      return;
    }
    if (packet.ask) this.#receiveAnswer(packet);
    else this.#receivePart(packet);
  }

  #receiveAnswer({ id, done, abort }) {
    const outgoing = this.#outgoing.get(id);
    if (!outgoing) return;
    if (done) outgoing.resolve();
    // Who still has something to send goes on, and waits for the acknowledgement in vain.
    else if (abort && outgoing.waiting) outgoing.reject(new Error("Aborted by receiver"));
  }

  #receivePart({ id, index, type, abort, done, info, chunk }) {
    let message = this.#incoming.get(id);
    if (abort) {
      message?.fail(new Error("Aborted by sender"));
      this.#incoming.delete(id);
      return;
    }
    if (type && index === 0) {
      message?.end();
      message = new IncomingMessage(type, info && parse(info), () => this.#answer({ id, ask: true, abort: true }));
      this.#incoming.set(id, message);
      this.#onMessage(message);
    }
    if (!message) return;
    if (chunk) {
      if (index !== message.index) {
        message.fail(new Error("Incorrect message order"));
        this.#incoming.delete(id);
        return;
      }
      message.index += 1;
      message.add(chunk);
    }
    if (!done) return;
    message.end();
    this.#incoming.delete(id);
    if (!message.cancelled) this.#answer({ id, ask: true, done: true });
  }

  #answer(packet) {
    if (this.#native.readyState === "open") this.#native.send(encode(PACKET, packet));
  }

  #end() {
    const error = new Error("The channel is closed");
    for (const outgoing of this.#outgoing.values()) outgoing.reject(error);
    for (const message of this.#incoming.values()) message.fail(error);
    this.#incoming.clear();
    this.#native.dispatchEvent(new Event("bufferedamountlow"));
  }
}
