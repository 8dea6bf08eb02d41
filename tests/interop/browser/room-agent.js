// A member of a room that does what it is asked to, for the interoperability tests: the peer of the example page,
// with requests {op, ...arguments} in the place of a person.

import { NatsDriver } from "/peerix/nats-driver.js";
import { Room } from "/peerix/room.js";
import { Mailbox } from "/peerix/queues.js";

const PATTERN = 251;

const pattern = (length) => {
  const bytes = new Uint8Array(length);
  for (let at = 0; at < length; at++) bytes[at] = at % PATTERN;
  return bytes;
};

const isPattern = (bytes) => {
  for (let at = 0; at < bytes.length; at++) if (bytes[at] !== at % PATTERN) return false;
  return true;
};

const fromBase64 = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
const toBase64 = (bytes) => btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(""));

const until = async (condition) => {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 2));
};

// What is too long to be handed over is checked here.
const describe = (value) => {
  if (!(value instanceof ArrayBuffer)) return { value };
  const bytes = new Uint8Array(value);
  if (bytes.length <= 100_000) return { base64: toBase64(bytes) };
  return { length: bytes.length, right: isPattern(bytes) };
};

let room = null;
let driver = null;
let cancelAfter = null;
const log = [];
const messages = new Mailbox();
const sendings = [];

const note = ({ name, peer, label, error }) => log.push({ name, peer: peer?.id, label, error: error?.message });

const read = async (about, message) => {
  if (cancelAfter !== null) {
    const bytes = cancelAfter;
    cancelAfter = null;
    await until(() => message.received >= bytes);
    message.cancel();
  }
  try {
    const value = await message.value();
    const content = describe(value instanceof Blob ? await value.arrayBuffer() : value);
    return { ...about, type: message.type, ...content };
  } catch (error) {
    return { ...about, type: message.type, failed: error.message };
  }
};

// In the order in which they came: reading a message takes Firefox now longer, now shorter.
const take = ({ peer, label, message, info, raw }) => {
  const about = { peer: peer.id, label, info: info ?? null };
  messages.put(raw === undefined ? read(about, message) : { ...about, raw: true, ...describe(raw) });
};

const contentOf = ({ text, json, base64, blob, length }) => {
  if (text !== undefined) return text;
  if (base64 !== undefined) return fromBase64(base64);
  if (blob !== undefined) return new Blob([fromBase64(blob)]);
  return length === undefined ? json : pattern(length);
};

const operations = {
  start: async ({ url, verify, ...options }) => {
    driver = await NatsDriver.connect(url);
    room = new Room(driver, { ...options, ...(verify === false ? { verify: () => false } : {}) });
    for (const group of ["connection", "channel", "error"]) room.on(group, note);
    room.on("channel:message", take);
  },

  join: async ({ metadata }) => {
    await room.join(metadata);
    return room.id;
  },

  leave: () => room.leave(),

  open: ({ label, options }) => room.open(label, options),

  close: ({ label }) => room.close(label),

  peers: () =>
    Array.from(room.peers.values(), ({ id, state, metadata, channels }) => ({
      id,
      state,
      metadata: metadata ?? null,
      channels: Array.from(channels.values(), ({ label, native }) => ({
        label,
        id: native.id,
        ordered: native.ordered,
        protocol: native.protocol,
        maxRetransmits: native.maxRetransmits,
        maxPacketLifeTime: native.maxPacketLifeTime,
        state: native.readyState,
      })),
    })),

  send: ({ label, to, info, ...content }) => room.send(contentOf(content), { label, to, info }),

  startSending: ({ label, info, ...content }) => {
    const sending = { progress: [], abort: new AbortController() };
    const options = { label, info, onProgress: (step) => sending.progress.push(step), signal: sending.abort.signal };
    sending.result = room.send(contentOf(content), options).then(
      () => "delivered",
      (error) => error.message,
    );
    return sendings.push(sending) - 1;
  },

  // Aborts once that many bytes are under way.
  abortSending: async ({ sending, after }) => {
    const { progress, abort } = sendings[sending];
    await until(() => (progress.at(-1)?.current ?? 0) >= after);
    abort.abort(new Error("Aborted by the user"));
  },

  finishSending: async ({ sending }) => {
    const { result, progress } = sendings[sending];
    return { result: await result, steps: progress.length, last: progress.at(-1) ?? null };
  },

  cancelNext: ({ after }) => {
    cancelAfter = after;
  },

  sendRaw: ({ label, to, text, base64 }) => {
    for (const peer of room.peers.values()) {
      if (to === undefined || to === peer.id) peer.channels.get(label).native.send(text ?? fromBase64(base64));
    }
  },

  receive: async () => (await messages.next()).value,

  events: () => log,

  stop: async () => {
    await room?.leave();
    await driver?.close();
  },
};

globalThis.agent = { handle: ({ op, ...given }) => operations[op](given) };
globalThis.ready = true;
