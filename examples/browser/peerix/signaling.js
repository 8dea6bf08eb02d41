// The packet that travels over a broker, and the namespaces it goes to (protocol/signalling.md).

import { encodeBase62 } from "./base62.js";
import { decode, encode } from "./protobuf.js";

export const ANNOUNCE = 1;
export const INVOKE = 2;
export const OFFER = 3;
export const ANSWER = 4;
export const CANDIDATE = 5;

const COMPRESSED = 1;
const ENCRYPTED = 2;
const PACKET = [
  [1, "type", "uint32"],
  [2, "flags", "uint32"],
  [3, "sender", "bytes"],
  [4, "payload", "bytes"],
];

export const namespaceOf = async (name, hashing) => {
  if (!hashing) return name.replace(/[^A-Za-z0-9_-]/gu, "_");
  const hash = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(name));
  return encodeBase62(new Uint8Array(hash));
};

const pass = async (data, transform) =>
  new Uint8Array(await new Response(new Blob([data]).stream().pipeThrough(transform)).arrayBuffer());

export const pack = async (identity, type, to, message, compression) => {
  let payload = new Uint8Array();
  let flags = 0;
  if (message !== undefined) {
    payload = new TextEncoder().encode(JSON.stringify(message));
    if (compression) {
      const deflated = await pass(payload, new CompressionStream("deflate"));
      if (deflated.length < payload.length) {
        payload = deflated;
        flags |= COMPRESSED;
      }
    }
    if (identity.encrypts) {
      payload = await identity.encrypt(to, payload);
      flags |= ENCRYPTED;
    }
  }
  return encode(PACKET, { type, flags, sender: identity.bytes, payload });
};

const open = async (identity, sender, flags, data) => {
  let payload = data;
  if (identity.encrypts) {
    if (!(flags & ENCRYPTED)) throw new Error("Payload is not encrypted");
    payload = await identity.decrypt(sender, payload);
  }
  // What does not inflate is taken as it is.
  if (flags & COMPRESSED) payload = await pass(payload, new DecompressionStream("deflate")).catch(() => payload);
  const message = JSON.parse(new TextDecoder().decode(payload));
  if (!Array.isArray(message)) throw new Error("the payload is no array");
  return message;
};

// Returns null for packets of one's own, which brokers may echo.
export const unpack = async (identity, data) => {
  const { type, flags = 0, sender, payload } = decode(PACKET, data);
  if (type === undefined || sender === undefined || payload === undefined) throw new Error("a field is missing");
  const id = encodeBase62(sender);
  if (id === "" || id === identity.id) return null;
  await identity.learn(id, sender);
  const message = payload.length > 0 ? await open(identity, id, flags, payload) : [];
  if (type < ANNOUNCE || type > CANDIDATE) throw new Error(`packet type ${type}`);
  return { type, sender: id, message };
};
