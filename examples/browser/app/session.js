// One stay in a room, from joining to leaving: who is there, what is said, which files go which way.

import { NatsDriver } from "../peerix/nats-driver.js";
import { Emitter } from "../peerix/queues.js";
import { Room } from "../peerix/room.js";
import { IncomingFile, OutgoingFile, isFile, takesFiles } from "./files.js";
import { nameOf, signalTrouble, transferTrouble } from "./words.js";

const CHAT = "chat";
const FILES = "files";
const CAMERA = "camera";

const CONNECT_LIMIT = 5000; // milliseconds
const MAX_MEMBERS = 64;
const MAX_MESSAGE_SIZE = 1_000_000; // bytes of a message that is shown

const stopTracks = (stream) => stream?.getTracks().forEach((track) => track.stop());

// A user and a password may stand in front of the host, as with the command line.
const serverOptions = (server) => {
  const url = new URL(server);
  const [user, pass] = [url.username, url.password].map(decodeURIComponent);
  url.username = "";
  url.password = "";
  return { servers: url.href, ...(user ? { user, pass } : {}) };
};

// Events: "members"; "here" and "gone" {peer}, "said" {peer, text}, "data" {peer, value}, "file" {transfer},
// "stream" {peer, stream, label} and "stream gone" {stream}, "trouble" {text}, "signalling" {active}.
export class Session extends Emitter {
  #driver;
  #room;
  #files = new Set();
  #camera = null;
  #unwatch;
  #left = false;

  // Rejects if the server cannot be reached.
  static async join({ room, name, server, encryption, hashing, compression, stun }) {
    const { servers, ...options } = serverOptions(server);
    const driver = await NatsDriver.connect(servers, { ...options, timeout: CONNECT_LIMIT });
    const session = new Session(driver, room, {
      name: room, encryption, hashing, compression, quirks: false, iceServers: stun ? [{ urls: stun }] : [],
      verify: () => session.members.length < MAX_MEMBERS,
    });
    try {
      await session.#room.join({ name, files: "receive" });
    } catch (error) {
      await session.leave();
      throw error;
    }
    return session;
  }

  constructor(driver, name, options) {
    super();
    this.name = name;
    this.#driver = driver;
    this.#room = new Room(driver, options);
    this.#unwatch = driver.onChange((active) => this.emit("signalling", { active }));
    this.#listen();
    for (const label of [CHAT, FILES]) this.#room.open(label);
  }

  #listen() {
    const room = this.#room;
    room.on("connection", ({ name, peer }) => this.#follow(name, peer));
    room.on("channel:open", ({ peer, label }) => this.#greet(peer, label));
    room.on("channel:close", () => this.emit("members"));
    room.on("channel:message", (event) => this.#receive(event));
    room.on("channel:error", ({ error }) => this.emit("trouble", { text: signalTrouble(error) }));
    room.on("stream:add", ({ peer, stream, label }) => this.#left || this.emit("stream", { peer, stream, label }));
    room.on("stream:remove", ({ stream }) => this.emit("stream gone", { stream }));
    room.on("error", ({ error }) => this.emit("trouble", { text: signalTrouble(error) }));
  }

  get id() {
    return this.#room.id;
  }

  get members() {
    return Array.from(this.#room.peers.values());
  }

  #with(label) {
    return this.members.filter((peer) => peer.channels.get(label)?.native.readyState === "open");
  }

  get listeners() {
    return this.#with(CHAT);
  }

  get takers() {
    return this.#with(FILES).filter(takesFiles);
  }

  // How it is with somebody; whom nothing can be said to yet is being connected.
  stateOf(peer) {
    return peer.state === "connected" && !this.listeners.includes(peer) ? "connecting" : peer.state;
  }

  #greet(peer, label) {
    if (this.#left) return;
    if (label === CHAT && !peer.greeted) {
      peer.greeted = true;
      this.emit("here", { peer });
    }
    this.emit("members");
  }

  #follow(event, peer) {
    if (this.#left) return;
    if (event === "connection:failed") {
      peer.failed = true;
      this.emit("trouble", { text: failureText(peer) });
    } else if (event === "connection:closed" && peer.greeted && !peer.failed) {
      this.emit("gone", { peer });
    }
    this.emit("members");
  }

  // -- talking

  // Gives who was there to hear it, and of whom it did not reach, why.
  say(text) {
    const listeners = this.listeners;
    const failures = new Map();
    const send = (peer) => peer.send(text, CHAT).catch((error) => failures.set(peer, transferTrouble(error)));
    return { listeners, delivered: Promise.all(listeners.map(send)).then(() => failures) };
  }

  #receive({ peer, message, info, raw }) {
    if (message === undefined) this.#note(peer, raw);
    else if (isFile(info)) this.#takeFile(peer, message, info);
    else this.#read(peer, message);
  }

  async #read(peer, message) {
    const parts = [];
    try {
      for await (const chunk of message) {
        if (message.received > MAX_MESSAGE_SIZE) throw new Error("it is too long to be shown");
        parts.push(chunk);
      }
      this.#note(peer, await message.decode(new Blob(parts)));
    } catch (error) {
      message.cancel();
      this.emit("trouble", { text: `A message from ${nameOf(peer)} was lost: ${transferTrouble(error)}.` });
    }
  }

  #note(peer, value) {
    if (typeof value === "string") this.emit("said", { peer, text: value });
    else this.emit("data", { peer, value });
  }

  // -- files

  sendFiles(files) {
    for (const file of files) this.#start(new OutgoingFile(file, this.takers), (transfer) => transfer.run(FILES));
  }

  #takeFile(peer, message, info) {
    const running = this.#files.size;
    this.#start(new IncomingFile(peer, { message, info }), (transfer) => transfer.run(running));
  }

  async #start(transfer, run) {
    this.#files.add(transfer);
    this.emit("file", { transfer });
    await run(transfer);
    this.#files.delete(transfer);
  }

  // -- camera and microphone

  get camera() {
    return this.#camera;
  }

  // Asks the person; gives the stream that everybody gets now.
  async startCamera() {
    const stream = await navigator.mediaDevices.getUserMedia({ audio: true, video: { width: 640, height: 360 } });
    if (this.#left) {
      stopTracks(stream);
      return null;
    }
    this.#camera = stream;
    this.#room.share(stream, CAMERA);
    return stream;
  }

  stopCamera() {
    this.#room.unshare(CAMERA);
    stopTracks(this.#camera);
    this.#camera = null;
  }

  // -- leaving

  async leave() {
    this.#left = true;
    this.#unwatch();
    for (const transfer of this.#files) transfer.cancel();
    stopTracks(this.#camera);
    await this.#room.leave();
    await this.#driver.close().catch(() => {});
  }
}

const failureText = (peer) =>
  peer.greeted
    ? `The connection to ${nameOf(peer)} is lost.`
    : `No connection to ${nameOf(peer)} came about. Networks that let nothing through need a STUN or TURN server.`;
