// Names, sizes and errors as people read them; and what others call themselves and their files, made harmless.

const MAX_NAME = 40;
const MAX_TEXT = 20_000;
const MAX_FILE_NAME = 240; // bytes in UTF-8

// Control characters, directional overrides and line separators show a text as what it is not.
const HIDDEN = /[\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/gu;
const DEVICE = /^(con|prn|aux|nul|com[0-9\u00b9\u00b2\u00b3]|lpt[0-9\u00b9\u00b2\u00b3]|conin\$|conout\$|clock\$)\s*(\.|$)/iu;

export const oneLine = (text) => text.replace(HIDDEN, " ").replace(/\s+/gu, " ").trim();

// By characters as people see them, so that none is cut in two.
const cut = (text, length) => {
  const letters = Array.from(text);
  return letters.length > length ? `${letters.slice(0, length - 1).join("")}…` : text;
};

export const nameOf = ({ id, metadata }) => {
  const name = typeof metadata?.name === "string" ? oneLine(metadata.name.slice(0, 1000)) : "";
  return name === "" ? id.slice(0, 8) : cut(name, MAX_NAME);
};

export const showable = (text) => {
  const plain = text.replace(/\r\n?/gu, "\n").replace(HIDDEN, (letter) => (letter === "\n" || letter === "\t" ? letter : "\ufffd"));
  return plain.length > MAX_TEXT ? `${plain.slice(0, MAX_TEXT)}… (cut here)` : plain;
};

// Why a file name of somebody else is refused (protocol/files.md, "Receiving safely"); null if it is not.
export const faultOfFileName = (name) => {
  if (name === "" || name === "." || name === "..") return "it has no name";
  if (/[/\\]/u.test(name)) return "its name is a path";
  if (name.search(HIDDEN) >= 0) return "its name has hidden characters";
  if (/^ |[ .]$/u.test(name)) return "its name begins or ends with a space or a dot";
  if (DEVICE.test(name)) return "its name is that of a device";
  if (!name.isWellFormed()) return "its name is no text";
  return new TextEncoder().encode(name).length > MAX_FILE_NAME ? "its name is too long" : null;
};

const UNITS = ["B", "kB", "MB", "GB", "TB"];

export const sizeText = (size) => {
  let unit = 0;
  let rest = size;
  for (; rest >= 999.5 && unit < UNITS.length - 1; unit++) rest /= 1000;
  return `${unit === 0 || rest >= 99.5 ? Math.round(rest) : rest.toFixed(1)} ${UNITS[unit]}`;
};

export const listText = (names) =>
  names.length < 2 ? names.join("") : `${names.slice(0, -1).join(", ")} and ${names.at(-1)}`;

const timeFormat = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" });
export const timeText = (date = new Date()) => timeFormat.format(date);

// What went wrong with a file or a message.
const TRANSFER_TROUBLES = [
  ["Aborted by receiver", "the other side did not take it"],
  ["Aborted by sender", "the sender stopped it"],
  ["The channel is closed", "the connection ended"],
  ["No channel found", "the connection ended"],
  ["Transfer timed out", "the other side did not answer"],
  ["Incorrect message order", "a part of it was missing"],
];

export const transferTrouble = (error) => {
  if (error.name === "NotReadableError" || error.name === "NotFoundError") return "the file cannot be read any more";
  const found = TRANSFER_TROUBLES.find(([start]) => error.message?.startsWith(start));
  return found ? found[1] : oneLine(String(error.message ?? error)).slice(0, 200);
};

// What went wrong on the way into a room, and the command that helps, if there is one.
export const joinTrouble = (error, server) => {
  const text = `${error.name} ${error.message}`;
  if (/authorization|authentication/iu.test(text)) {
    return { text: `The signalling server at ${server} wants a user and a password: ws://USER:PASSWORD@HOST:PORT.` };
  }
  if (globalThis.location.protocol === "https:" && server.startsWith("ws:")) {
    return { text: "A page that came over https:// may talk to wss:// servers only." };
  }
  return {
    text: `The signalling server at ${server} does not answer. This starts one, and this page with it:`,
    command: "python -m examples.browser",
  };
};

// Why there is no camera.
export const cameraTrouble = (error) => {
  if (error.name === "NotAllowedError") return "The browser was told not to give camera and microphone to this page.";
  if (error.name === "NotFoundError") return "There is no camera and microphone here.";
  return `Camera and microphone cannot be used: ${oneLine(String(error.message ?? error)).slice(0, 200)}`;
};

// Who does not encrypt sends plain payloads, and has no public key for an id.
const PLAIN_SENDER = /^(Payload is not encrypted|the sender is no)/u;

// What stopped a packet of somebody else.
export const signalTrouble = (error) => {
  if (PLAIN_SENDER.test(error.message)) {
    return "Somebody in this room has switched encryption off, so you cannot reach each other. All must agree.";
  }
  if (error.name === "OperationError" || error instanceof SyntaxError) {
    return "Somebody in this room could not be understood. Is encryption on for all of you, or off for all?";
  }
  return `Something went wrong with somebody in this room: ${oneLine(String(error.message ?? error)).slice(0, 200)}`;
};

export const serverFault = (text) => {
  let url;
  try {
    url = new URL(text);
  } catch {
    return "The address of the server is to be like ws://127.0.0.1:4223.";
  }
  if (url.protocol === "nats:" || url.protocol === "tls:") {
    return "A page needs the WebSocket address of the server: ws://HOST:PORT, or wss://HOST with TLS.";
  }
  return url.protocol === "ws:" || url.protocol === "wss:" ? null : "The address of the server is to begin with ws:// or wss://.";
};

export const browserFault = () => {
  if (!globalThis.isSecureContext) {
    return "The browser gives no encryption to this page: open it on http://127.0.0.1, or over https://.";
  }
  if (!globalThis.RTCPeerConnection) return "This browser has no WebRTC, or it is switched off.";
  if (!Promise.withResolvers || !globalThis.CompressionStream) return "This browser is too old for the page.";
  return null;
};
