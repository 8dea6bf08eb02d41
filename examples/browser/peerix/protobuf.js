// The small part of Protocol Buffers that peerix uses: bool, uint32 and bytes (protocol/README.md).
//
// A schema lists [number, name, kind] in ascending order. What is present is written, also when it is zero, false or
// empty; only undefined is left out.

const VARINT = 0;
const BYTES = 2;

const writeVarint = (out, value) => {
  let rest = value;
  while (rest > 0x7f) {
    out.push((rest % 0x80) | 0x80);
    rest = Math.floor(rest / 0x80);
  }
  out.push(rest);
};

export const encode = (schema, values) => {
  const parts = [];
  for (const [number, name, kind] of schema) {
    const value = values[name];
    if (value === undefined) continue;
    const head = [];
    writeVarint(head, (number << 3) | (kind === "bytes" ? BYTES : VARINT));
    writeVarint(head, kind === "bytes" ? value.length : Number(value));
    parts.push(head);
    if (kind === "bytes") parts.push(value);
  }
  const out = new Uint8Array(parts.reduce((length, part) => length + part.length, 0));
  parts.reduce((at, part) => (out.set(part, at), at + part.length), 0);
  return out;
};

class Reader {
  constructor(bytes) {
    this.bytes = bytes;
    this.at = 0;
  }

  get done() {
    return this.at >= this.bytes.length;
  }

  varint() {
    let value = 0;
    for (let index = 0; index < 5; index++) {
      if (this.done) throw new Error("cut short");
      const byte = this.bytes[this.at++];
      if (index === 4 && byte > 0x0f) break;
      value += (byte & 0x7f) * 2 ** (7 * index);
      if (byte < 0x80) return value;
    }
    throw new Error("a varint is too long");
  }

  take(length) {
    if (this.at + length > this.bytes.length) throw new Error("cut short");
    this.at += length;
    return this.bytes.slice(this.at - length, this.at);
  }

  skip(wireType) {
    if (wireType === VARINT) this.varint();
    else if (wireType === 1) this.take(8);
    else if (wireType === BYTES) this.take(this.varint());
    else if (wireType === 5) this.take(4);
    else throw new Error(`wire type ${wireType}`);
  }
}

const readField = (reader, kind, wireType) => {
  if (wireType !== (kind === "bytes" ? BYTES : VARINT)) throw new Error("a field has another type");
  if (kind === "bytes") return reader.take(reader.varint());
  const value = reader.varint();
  if (kind === "uint32") return value;
  if (value > 1) throw new Error("a bool is neither 0 nor 1");
  return value === 1;
};

export const decode = (schema, bytes) => {
  const reader = new Reader(bytes);
  const values = {};
  while (!reader.done) {
    const key = reader.varint();
    const [number, wireType] = [Math.floor(key / 8), key % 8];
    if (number === 0) throw new Error("field number 0");
    const field = schema.find(([known]) => known === number);
    if (field) values[field[1]] = readField(reader, field[2], wireType);
    else reader.skip(wireType);
  }
  return values;
};
