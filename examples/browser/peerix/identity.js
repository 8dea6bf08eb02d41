// Who a member is: with encryption its id is its public key, and two keys make the secret of a pair.
// (protocol/signalling.md, "Ids" and "The packet")

import { encodeBase62, toBytes, toNumber } from "./base62.js";

const CURVE = { name: "ECDH", namedCurve: "P-256" };
const ID_LENGTH = 33;
const IV_LENGTH = 12;

// The curve P-256: y^2 = x^3 - 3x + B over the prime P.
const P = 0xffffffff00000001000000000000000000000000ffffffffffffffffffffffffn;
const B = 0x5ac635d8aa3a93e7b3ebbd55769886bc651d06b0cc53b0f63bce3c3e27d2604bn;

const power = (base, exponent) => {
  let result = 1n;
  for (let factor = base % P, rest = exponent; rest > 0n; rest >>= 1n, factor = (factor * factor) % P) {
    if (rest & 1n) result = (result * factor) % P;
  }
  return result;
};

const compress = (point) => {
  const compressed = point.slice(0, ID_LENGTH);
  compressed[0] = 2 + (point[64] & 1);
  return compressed;
};

// Browsers need not import compressed points, so y is worked out here.
const decompress = (compressed) => {
  const x = toNumber(compressed.slice(1));
  if (compressed.length !== ID_LENGTH || (compressed[0] !== 2 && compressed[0] !== 3) || x >= P) {
    throw new Error("the sender is no public key");
  }
  const square = (((x * x * x - 3n * x + B) % P) + P) % P;
  let y = power(square, (P + 1n) / 4n);
  if ((y * y) % P !== square) throw new Error("the sender is no point of the curve");
  if (Number(y & 1n) !== (compressed[0] & 1)) y = P - y;
  return Uint8Array.from([4, ...toBytes(x, 32), ...toBytes(y, 32)]);
};

export class Identity {
  #privateKey;
  #keys = new Map();

  constructor(bytes, privateKey) {
    this.bytes = bytes;
    this.id = encodeBase62(bytes);
    this.#privateKey = privateKey;
  }

  static async create(encryption) {
    if (!encryption) return new Identity(crypto.getRandomValues(new Uint8Array(ID_LENGTH)), null);
    const pair = await crypto.subtle.generateKey(CURVE, false, ["deriveBits"]);
    const point = new Uint8Array(await crypto.subtle.exportKey("raw", pair.publicKey));
    return new Identity(compress(point), pair.privateKey);
  }

  get encrypts() {
    return this.#privateKey !== null;
  }

  // The key for a member is known from its first packet on, until its connection closes.
  async learn(id, bytes) {
    if (!this.encrypts || this.#keys.has(id)) return;
    const theirs = await crypto.subtle.importKey("raw", decompress(bytes), CURVE, false, []);
    const secret = await crypto.subtle.deriveBits({ name: "ECDH", public: theirs }, this.#privateKey, 256);
    this.#keys.set(id, await crypto.subtle.importKey("raw", secret, "AES-GCM", false, ["encrypt", "decrypt"]));
  }

  forget(id) {
    this.#keys.delete(id);
  }

  #key(id) {
    const key = this.#keys.get(id);
    if (!key) throw new Error("Encryption key not found");
    return key;
  }

  async encrypt(id, data) {
    const iv = crypto.getRandomValues(new Uint8Array(IV_LENGTH));
    const sealed = await crypto.subtle.encrypt({ name: "AES-GCM", iv }, this.#key(id), data);
    return Uint8Array.from([...iv, ...new Uint8Array(sealed)]);
  }

  async decrypt(id, data) {
    const iv = data.slice(0, IV_LENGTH);
    const plain = await crypto.subtle.decrypt({ name: "AES-GCM", iv }, this.#key(id), data.slice(IV_LENGTH));
    return new Uint8Array(plain);
  }
}
