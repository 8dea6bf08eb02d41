// A WebRTC peer that does what it is asked to, for the interoperability tests.
//
// The same code runs in a browser's page and, over a package that brings RTCPeerConnection, in Node. Requests and
// replies are plain objects: {op, ...arguments} -> result. Connections, channels, transceivers and tracks are named by
// numbers. What is sent and shown comes from `media`, which is different in a page and in Node.

const HIGH_WATER = 1 << 20;

// Values that arrive before somebody waits for them, and those who wait before a value arrives.
class Queue {
  #values = [];
  #waiting = [];
  #end = null;

  put(value) {
    const waiter = this.#waiting.shift();
    if (waiter) waiter.resolve(value);
    else this.#values.push(value);
  }

  fail(error) {
    this.#end ??= error;
    for (const waiter of this.#waiting.splice(0)) waiter.reject(error);
  }

  get() {
    if (this.#values.length) return Promise.resolve(this.#values.shift());
    if (this.#end) return Promise.reject(this.#end);
    return new Promise((resolve, reject) => this.#waiting.push({ resolve, reject }));
  }
}

const toBase64 = (bytes) => {
  let text = "";
  for (let at = 0; at < bytes.length; at += 8192) text += String.fromCharCode(...bytes.subarray(at, at + 8192));
  return btoa(text);
};

const fromBase64 = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));

// Stacks in Node hand out ArrayBuffer or Buffer; strings stay strings.
const toBytes = (data) => (data instanceof ArrayBuffer ? new Uint8Array(data) : new Uint8Array(data.buffer, data.byteOffset, data.byteLength));

const until = async (condition) => {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 2));
};

class Channel {
  messages = new Queue();

  constructor(native) {
    this.native = native;
    native.binaryType = "arraybuffer";
    native.onmessage = ({ data }) => this.messages.put(data);
    native.onclose = () => this.messages.fail(new Error("the channel is closed"));
  }

  describe() {
    const { label, protocol, id, ordered, negotiated, maxRetransmits, maxPacketLifeTime, readyState } = this.native;
    return { label, protocol, id, ordered, negotiated, maxRetransmits, maxPacketLifeTime, readyState };
  }

  // Byte number n of the whole is n % 251, whatever the messages are cut into.
  async pour(size, count) {
    const pattern = new Uint8Array(size + 251).map((_, index) => index % 251);
    for (let number = 0; number < count; number++) {
      if (this.native.bufferedAmount > HIGH_WATER) await until(() => this.native.bufferedAmount <= HIGH_WATER / 2);
      const from = (number * size) % 251;
      this.native.send(pattern.slice(from, from + size));
    }
  }

  async drink(length) {
    const whole = new Uint8Array(length);
    let at = 0;
    const started = performance.now();
    while (at < length) {
      const part = toBytes(await this.messages.get());
      whole.set(part, at);
      at += part.length;
    }
    const right = whole.every((byte, index) => byte === index % 251);
    return { right, seconds: (performance.now() - started) / 1000 };
  }
}

export class WebRtcAgent {
  #make;
  #connections = [];
  #channels = [];
  #transceivers = [];
  #tracks = [];
  #media;

  constructor(make, media = null) {
    this.#make = make;
    this.#media = media;
  }

  handle({ op, ...given }) {
    if (!Object.hasOwn(this.#operations, op)) throw new Error(`unknown operation ${op}`);
    return this.#operations[op](given);
  }

  #keep(native) {
    return { channel: this.#channels.push(new Channel(native)) - 1 };
  }

  #operations = {
    connect: () => {
      const native = this.#make();
      const connection = { native, candidates: new Queue(), channels: new Queue(), tracks: new Queue(), ends: [] };
      native.onicecandidate = ({ candidate }) => connection.candidates.put(candidate ?? null);
      // At once: what the other side sends after its opening must find a listener.
      native.ondatachannel = ({ channel }) => connection.channels.put(this.#keep(channel));
      native.ontrack = (event) => connection.tracks.put(this.#keepTrack(event, connection));
      return { connection: this.#connections.push(connection) - 1 };
    },

    offer: async ({ connection, options, gathered }) => {
      const { native } = this.#connections[connection];
      await native.setLocalDescription(await native.createOffer(options));
      return this.#description(native, gathered);
    },

    answer: async ({ connection, description, gathered }) => {
      const { native } = this.#connections[connection];
      await native.setRemoteDescription(description);
      await native.setLocalDescription(await native.createAnswer());
      return this.#description(native, gathered);
    },

    takeOffer: async ({ connection, description }) => {
      await this.#connections[connection].native.setRemoteDescription(description);
    },

    makeAnswer: async ({ connection, gathered }) => {
      const { native } = this.#connections[connection];
      await native.setLocalDescription(await native.createAnswer());
      return this.#description(native, gathered);
    },

    accept: async ({ connection, description }) => {
      await this.#connections[connection].native.setRemoteDescription(description);
    },

    nextCandidate: async ({ connection }) => {
      const candidate = await this.#connections[connection].candidates.get();
      if (candidate === null) return null;
      const { candidate: text, sdpMid, sdpMLineIndex, usernameFragment } = candidate;
      return { candidate: text, sdpMid, sdpMLineIndex, usernameFragment };
    },

    addCandidate: async ({ connection, candidate }) => {
      await this.#connections[connection].native.addIceCandidate(candidate ?? undefined);
    },

    state: ({ connection }) => {
      const { signalingState, connectionState, iceConnectionState, sctp } = this.#connections[connection].native;
      return { signalingState, connectionState, iceConnectionState, maxMessageSize: sctp?.maxMessageSize ?? null };
    },

    statistics: async ({ connection }) => {
      const report = await this.#connections[connection].native.getStats();
      return [...report.values()];
    },

    end: ({ connection }) => {
      const { native, ends } = this.#connections[connection];
      native.close();
      for (const end of ends) end();
    },

    addTransceiver: async ({ connection, kind, direction, source }) => {
      const { native, ends } = this.#connections[connection];
      const sent = source ? await this.#source(source, ends) : kind;
      return this.#keepTransceiver(native.addTransceiver(sent, { direction }));
    },

    // In a section that the other side made, if one is free.
    addTrack: async ({ connection, source }) => {
      const { native, ends } = this.#connections[connection];
      const track = await this.#source(source, ends);
      const sender = native.addTrack(track);
      return this.#keepTransceiver(native.getTransceivers().find((transceiver) => transceiver.sender === sender));
    },

    replaceTrack: async ({ connection, transceiver, source }) => {
      const { ends } = this.#connections[connection];
      const track = source ? await this.#source(source, ends) : null;
      await this.#transceivers[transceiver].sender.replaceTrack(track);
    },

    removeTrack: ({ connection, transceiver }) => {
      this.#connections[connection].native.removeTrack(this.#transceivers[transceiver].sender);
    },

    setDirection: ({ transceiver, direction }) => {
      this.#transceivers[transceiver].direction = direction;
    },

    stopTransceiver: ({ transceiver }) => {
      this.#transceivers[transceiver].stop();
    },

    describeTransceiver: ({ transceiver }) => {
      const { mid, direction, currentDirection } = this.#transceivers[transceiver];
      return { mid, direction, currentDirection };
    },

    synchronizationSources: ({ transceiver }) =>
      this.#transceivers[transceiver].receiver.getSynchronizationSources().map(({ audioLevel }) => ({ audioLevel })),

    nextTrack: ({ connection }) => this.#connections[connection].tracks.get(),

    trackState: ({ track }) => {
      const { readyState, muted } = this.#tracks[track].native;
      return { readyState, muted };
    },

    picture: async ({ track }) => {
      const { width, height, pixels } = await this.#sink(track).picture();
      return { width, height, pixels: toBase64(pixels) };
    },

    sound: async ({ track }) => {
      const { rate, samples } = await this.#sink(track).sound();
      return { rate, samples: toBase64(new Uint8Array(samples.buffer)) };
    },

    createChannel: ({ connection, label, options }) =>
      this.#keep(this.#connections[connection].native.createDataChannel(label, options)),

    nextChannel: ({ connection }) => this.#connections[connection].channels.get(),

    describe: ({ channel }) => this.#channels[channel].describe(),

    opened: ({ channel }) => until(() => this.#channels[channel].native.readyState === "open"),

    closed: ({ channel }) => until(() => this.#channels[channel].native.readyState === "closed"),

    send: ({ channel, text, base64 }) => {
      this.#channels[channel].native.send(text ?? fromBase64(base64));
    },

    receive: async ({ channel }) => {
      const data = await this.#channels[channel].messages.get();
      return typeof data === "string" ? { text: data } : { base64: toBase64(toBytes(data)) };
    },

    pour: ({ channel, size, count }) => this.#channels[channel].pour(size, count),

    drink: ({ channel, length }) => this.#channels[channel].drink(length),

    close: ({ channel }) => {
      this.#channels[channel].native.close();
    },
  };

  async #source(wanted, ends) {
    const { track, end } = await this.#media.source(wanted);
    ends.push(end);
    return track;
  }

  #keepTransceiver(native) {
    return { transceiver: this.#transceivers.push(native) - 1 };
  }

  #keepTrack({ track, transceiver, streams }, { ends }) {
    const kept = { native: track, sink: null, ends };
    const number = this.#tracks.push(kept) - 1;
    const { kind, id } = track;
    return { track: number, kind, id, streams: streams.map(({ id }) => id), ...this.#keepTransceiver(transceiver) };
  }

  #sink(number) {
    const kept = this.#tracks[number];
    if (kept.sink === null) {
      const sink = this.#media.sink(kept.native);
      kept.sink = sink;
      kept.ends.push(() => sink.end());
    }
    return kept.sink;
  }

  async #description(native, gathered) {
    if (gathered) await until(() => native.iceGatheringState === "complete");
    const { type, sdp } = native.localDescription;
    return { type, sdp };
  }
}
