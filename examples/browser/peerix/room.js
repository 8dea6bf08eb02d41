// A room in a page: finds the other members through a driver and connects to all of them. It does on the wire what a
// page with Peerix 0.7 does; protocol/ says it all. A driver has subscribe(namespace, handler), which gives a function
// that unsubscribes, publish(namespace, bytes), `active`, and onActive.

import { Connection } from "./connection.js";
import { Identity } from "./identity.js";
import { Emitter } from "./queues.js";
import { ANNOUNCE, ANSWER, CANDIDATE, INVOKE, OFFER, namespaceOf, pack, unpack } from "./signaling.js";

const MAX_WAITING_CANDIDATES = 100;
const RECONNECT_JITTER = 1000;

export class Room extends Emitter {
  #driver;
  #options;
  #labels = new Map();
  #streams = new Map();
  #identity = null;
  #metadata;
  #joined = [];
  #waiting = new Map();

  constructor(driver, options = {}) {
    super();
    this.#driver = driver;
    this.#options = {
      name: "default", hashing: true, compression: true, encryption: true, verify: () => true, timeout: 15,
      iceServers: [], quirks: true, ...options,
    };
    this.peers = new Map();
  }

  get id() {
    return this.#identity?.id ?? null;
  }

  async join(metadata) {
    if (this.#identity) return;
    this.#identity = await Identity.create(this.#options.encryption);
    this.#metadata = metadata;
    // Our own first: whom we hear in the room we invite, and it answers there at once.
    for (const name of [this.id, this.#options.name]) {
      const one = await this.#namespace(name);
      this.#joined.push(await this.#driver.subscribe(one, (data) => this.#receive(data)));
    }
    const announce = () => this.#publish(ANNOUNCE, null).catch((error) => this.emit("error", { error }));
    this.#joined.push(this.#driver.onActive(announce));
    await announce();
  }

  async leave() {
    for (const undo of this.#joined.splice(0)) undo();
    this.#identity = null;
    this.#waiting.clear();
    for (const peer of this.peers.values()) peer.close();
    this.peers.clear();
  }

  // -- signalling

  #namespace(name) {
    return namespaceOf(name, this.#options.hashing);
  }

  async #publish(type, to, message) {
    const identity = this.#identity;
    if (!identity) return;
    const data = await pack(identity, type, to, message, this.#options.compression);
    await this.#driver.publish(await this.#namespace(to ?? this.#options.name), data);
  }

  async #receive(data) {
    try {
      const packet = await unpack(this.#identity, data);
      if (packet && this.#identity) await this.#handle(packet);
    } catch (error) {
      if (this.#identity) this.emit("error", { error });
    }
  }

  async #handle({ type, sender, message }) {
    if (type === ANNOUNCE) {
      await this.#publish(INVOKE, sender, this.#metadata === undefined ? undefined : [this.#metadata]);
    } else if (type === INVOKE) {
      await this.#admit(sender, message[0]);
    } else if (type === OFFER) {
      const peer = await this.#admit(sender, message[1]);
      await peer?.receiveDescription(message[0], (ufrag) => this.#take(sender, ufrag));
    } else if (type === ANSWER) {
      await this.peers.get(sender)?.receiveDescription(message[0], (ufrag) => this.#take(sender, ufrag));
    } else {
      for (const candidate of message) this.#receiveCandidate(sender, candidate);
    }
  }

  // Candidates over the driver are used only when they say which description they belong to.
  #receiveCandidate(sender, candidate) {
    const peer = this.peers.get(sender);
    if (peer?.remoteUfrag !== undefined && peer.remoteUfrag === candidate.usernameFragment) {
      peer.receiveCandidate(candidate);
      return;
    }
    const waiting = this.#waiting.get(sender) ?? [];
    this.#waiting.set(sender, [...waiting, candidate].slice(-MAX_WAITING_CANDIDATES));
  }

  #take(sender, ufrag) {
    const waiting = this.#waiting.get(sender) ?? [];
    this.#waiting.set(sender, waiting.filter((candidate) => candidate.usernameFragment !== ufrag));
    return waiting.filter((candidate) => candidate.usernameFragment === ufrag);
  }

  // -- members

  async #admit(id, metadata) {
    if (this.peers.has(id)) return this.peers.get(id);
    if (!(await this.#options.verify({ id, metadata }))) return null;
    if (!this.#identity || this.peers.has(id)) return this.peers.get(id) ?? null;
    const types = { offer: OFFER, answer: ANSWER, candidate: CANDIDATE };
    const peer = new Connection({
      id,
      metadata,
      polite: this.id > id,
      timeout: this.#options.timeout,
      iceServers: this.#options.iceServers,
      quirks: this.#options.quirks,
      labels: this.#labels,
      streams: this.#streams,
      send: (kind, message) => {
        const content = kind === "candidate" ? message : [message, ...(kind === "offer" ? [this.#metadata ?? null] : [])];
        return this.#publish(types[kind], id, content).catch((error) => this.emit("error", { error }));
      },
      emit: (name, event) => this.#note(name, event),
    });
    this.peers.set(id, peer);
    this.emit("connection:new", { peer });
    return peer;
  }

  #note(name, event) {
    const { peer } = event;
    if (name === "connection:failed") {
      peer.lost = true;
      const invoke = () => this.#publish(INVOKE, peer.id, [this.#metadata ?? null]).catch((error) => this.emit("error", { error }));
      setTimeout(invoke, Math.random() * RECONNECT_JITTER);
    }
    if (name === "connection:closed" && this.peers.get(peer.id) === peer) {
      this.peers.delete(peer.id);
      this.#waiting.delete(peer.id);
      // Peerix 0.7 forgets the key of a lost member as well, and then cannot invite it again.
      if (this.#options.quirks || !peer.lost) this.#identity?.forget(peer.id);
    }
    this.emit(name, event);
  }

  // -- streams

  share(stream, label = "default") {
    this.#streams.set(label, stream);
    for (const peer of this.peers.values()) peer.share(label, stream);
  }

  unshare(label = "default") {
    this.#streams.delete(label);
    for (const peer of this.peers.values()) peer.unshare(label);
  }

  // -- channels and messages

  open(label = "default", options = {}) {
    this.#labels.set(label, options);
    for (const peer of this.peers.values()) peer.open(label, options);
  }

  close(label = "default") {
    this.#labels.delete(label);
    for (const peer of this.peers.values()) peer.closeChannel(label);
  }

  async send(message, { label = "default", to, ...options } = {}) {
    const targets = [...this.peers.values()].filter((peer) => to === undefined || [to].flat().includes(peer.id));
    await Promise.all(targets.map((peer) => peer.send(message, label, options)));
    return targets.map((peer) => peer.id);
  }
}
