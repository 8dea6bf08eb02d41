// Bytes as text: one big number, with the digits 0-9 a-z A-Z (protocol/signalling.md, "Ids").

const DIGITS = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";

export const toNumber = (bytes) => bytes.reduce((number, byte) => (number << 8n) | BigInt(byte), 0n);

export const toBytes = (number, length) => {
  const bytes = new Uint8Array(length);
  for (let at = length - 1, rest = number; at >= 0; at--, rest >>= 8n) bytes[at] = Number(rest & 0xffn);
  return bytes;
};

export const encodeBase62 = (bytes) => {
  if (bytes.length === 0) return "";
  let text = "";
  let rest = toNumber(bytes);
  do {
    text = DIGITS[Number(rest % 62n)] + text;
    rest /= 62n;
  } while (rest > 0n);
  return text;
};

export const decodeBase62 = (text, length) => {
  let number = 0n;
  for (const letter of text) {
    const digit = DIGITS.indexOf(letter);
    if (digit < 0) throw new Error(`${letter} is no digit of base62`);
    number = number * 62n + BigInt(digit);
  }
  return toBytes(number, length);
};
