// Messages of any size on a data channel (protocol/transfer.md), one at a time, each acknowledged. With `quirks` all of
// it is as Peerix 0.7 does it: an abort looks like a cancellation by the receiver, who is cancelled sends to the end
// all the same, and empty messages are not sent. Without, it is as protocol/transfer.md would have it.

import { decode, encode } from "./protobuf.js";
import { Mailbox, TaskQueue } from "./queues.js";

const TEXT = 1;
const JSON_VALUE = 2;
const BLOB = 3;
const BYTES = 4;

const CHUNK_SIZE = 16320;
const READ_SIZE = 64 * CHUNK_SIZE;
const MAX_ID = 65535;
const MAX_BUFFERED = 262144;
const LOW_BUFFERED = 32768;
const ANSWER_TIMEOUT = 10_000;
const MAX_INCOMING = 256; // unfinished messages

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

const toContent = (message) => {
  if (typeof message === "string") return [TEXT, new TextEncoder().encode(message)];
  if (message instanceof Blob) return [BLOB, message];
  if (message instanceof ArrayBuffer) return [BYTES, new Uint8Array(message)];
  if (ArrayBuffer.isView(message)) return [BYTES, new Uint8Array(message.buffer, message.byteOffset, message.byteLength)];
  return [JSON_VALUE, new TextEncoder().encode(JSON.stringify(message ?? null))];
};

// Gives parts of a content from its beginning to its end; of a file no more is in memory than it needs.
const readerOf = (content) => {
  if (!(content instanceof Blob)) return (from, to) => content.subarray(from, to);
  let start = 0;
  let loaded = new Uint8Array();
  return async (from, to) => {
    if (to > start + loaded.length) {
      start = from;
      loaded = new Uint8Array(await content.slice(from, from + READ_SIZE).arrayBuffer());
    }
    return loaded.subarray(from - start, to - start);
  };
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

  // The bytes as they come; instead of value().
  [Symbol.asyncIterator]() {
    return this.#chunks;
  }

  // The whole message as what it was sent as.
  value() {
    this.#whole ??= this.#collect();
    return this.#whole;
  }

  async #collect() {
    const chunks = [];
    for await (const chunk of this.#chunks) chunks.push(chunk);
    return this.decode(new Blob(chunks));
  }

  // What a blob of all its bytes stands for.
  async decode(blob) {
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
  #quirks;

  constructor(native, { onMessage, onError, quirks = true }) {
    this.#native = native;
    this.#quirks = quirks;
    this.#onMessage = onMessage;
    this.#onError = onError;
    native.bufferedAmountLowThreshold = LOW_BUFFERED;
    native.addEventListener("close", () => this.end());
  }

  // -- sending

  send(message, { info, onProgress, signal } = {}) {
    return this.#turns.run(() => this.#transfer(message, info, onProgress, signal));
  }

  async #transfer(message, info, onProgress, signal) {
    signal?.throwIfAborted();
    const [type, content] = toContent(message);
    const total = content.size ?? content.length;
    const read = readerOf(content);
    const infoBytes = info === undefined ? undefined : new TextEncoder().encode(JSON.stringify(info));
    const infoLength = infoBytes?.length ?? 0;
    if (infoLength >= CHUNK_SIZE) throw new Error("Metadata is too large");
    if (total === 0 && this.#quirks) return;
    const id = (this.#lastId % MAX_ID) + 1;
    this.#lastId = id;
    const outgoing = { waiting: false, ...Promise.withResolvers() };
    outgoing.promise.catch(() => {});
    this.#outgoing.set(id, outgoing);
    const stop = () => outgoing.reject(signal.reason ?? new Error("Aborted"));
    signal?.addEventListener("abort", stop);
    try {
      let at = 0;
      for (let index = 0; index === 0 || at < total; index++) {
        const end = Math.min(at + CHUNK_SIZE - (index === 0 ? infoLength : 0), total);
        const chunk = await read(at, end);
        at = end;
        const first = index === 0 ? { type, info: infoBytes } : {};
        const packet = encode(PACKET, { id, index, ...first, done: at === total, chunk });
        await this.#room(packet.length, outgoing.promise);
        signal?.throwIfAborted();
        this.#native.send(packet);
        onProgress?.({ current: at, total });
      }
      outgoing.waiting = true;
      const timer = setTimeout(() => outgoing.reject(new Error("Transfer timed out")), ANSWER_TIMEOUT);
      await outgoing.promise.finally(() => clearTimeout(timer));
    } catch (error) {
      this.#answer({ id, ask: this.#quirks ? true : undefined, abort: true });
      throw error;
    } finally {
      signal?.removeEventListener("abort", stop);
      this.#outgoing.delete(id);
    }
  }

  // Waits until so many bytes may be sent; throws what ends the transfer meanwhile.
  async #room(length, ended) {
    while (this.#native.bufferedAmount > MAX_BUFFERED - length) {
      let timer;
      const low = new Promise((resolve, reject) => {
        timer = setTimeout(() => reject(new Error("Transfer timed out")), ANSWER_TIMEOUT);
        this.#native.addEventListener("bufferedamountlow", resolve, { once: true });
      });
      await Promise.race([low, ended]).finally(() => clearTimeout(timer));
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
    if (!outgoing && abort && !this.#quirks) this.#receivePart({ id, abort });
    if (!outgoing) return;
    if (done) outgoing.resolve();
    // With quirks, who still has something to send goes on, and waits for the acknowledgement in vain.
    else if (abort && (outgoing.waiting || !this.#quirks)) outgoing.reject(new Error("Aborted by receiver"));
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
      this.#incoming.delete(id);
      if (this.#incoming.size >= MAX_INCOMING) {
        this.#answer({ id, ask: true, abort: true });
        return;
      }
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

  // Nothing more comes or goes. Also called by who closes the connection: then the channel does not say so.
  end() {
    const error = new Error("The channel is closed");
    for (const outgoing of this.#outgoing.values()) outgoing.reject(error);
    for (const message of this.#incoming.values()) message.fail(error);
    this.#incoming.clear();
    this.#native.dispatchEvent(new Event("bufferedamountlow"));
  }
}
