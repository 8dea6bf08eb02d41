// The ends of benchmarked connections, in a page or in Node: requests are {op, ...}, their results plain values.
//
// A stack is a function that makes a connection: connect(signal, channel) -> {create, offer, take, close}. It calls
// signal(kind, content) with each "description" and "candidate" of its own, and channel(one) with each channel that
// the other end opened. A channel has send, buffered, onOpen(call), onMessage(call), and onLow(call).
// The file is no module, since pages evaluate it.

const BUFFERED = 1 << 20; // bytes that a sender keeps queued in its stack
globalThis.LOW = BUFFERED / 2; // it sends on from here

// Values that arrive before somebody waits for them, and those who wait before a value arrives.
class Queue {
  #values = [];
  #waiting = [];

  put(value) {
    const waiter = this.#waiting.shift();
    if (waiter) waiter(value);
    else this.#values.push(value);
  }

  get() {
    if (this.#values.length) return Promise.resolve(this.#values.shift());
    return new Promise((resolve) => this.#waiting.push(resolve));
  }
}

// Lets everything else have its turn: what a page and Node have without the delay of a timer.
const turn = (() => {
  if (typeof setImmediate === "function") return () => new Promise((resolve) => setImmediate(resolve));
  const { port1, port2 } = new MessageChannel();
  const waiting = [];
  port1.onmessage = () => waiting.shift()();
  return () => new Promise((resolve) => port2.postMessage(waiting.push(resolve)));
})();

class W3cChannel {
  #native;

  constructor(native) {
    this.#native = native;
    native.binaryType = "arraybuffer";
    native.bufferedAmountLowThreshold = LOW;
  }

  send(bytes) {
    this.#native.send(bytes);
  }

  buffered() {
    return this.#native.bufferedAmount;
  }

  onOpen(call) {
    if (this.#native.readyState === "open") call();
    else this.#native.onopen = call;
  }

  onMessage(call) {
    this.#native.onmessage = ({ data }) => call(data);
  }

  onLow(call) {
    if ("onbufferedamountlow" in this.#native) this.#native.onbufferedamountlow = call;
    else setTimeout(call, 1); // @roamhq/wrtc has no such event: its users look again
  }
}

// A connection of the W3C's interface, whoever brings it.
const w3cStack = (RTCPeerConnection) => (signal, channel) => {
  const native = new RTCPeerConnection({ iceServers: [] });
  native.onicecandidate = ({ candidate }) => {
    if (!candidate?.candidate) return;
    const { candidate: text, sdpMid, sdpMLineIndex, usernameFragment } = candidate;
    signal("candidate", { candidate: text, sdpMid, sdpMLineIndex, usernameFragment });
  };
  native.ondatachannel = (event) => channel(new W3cChannel(event.channel));
  const describe = async (description) => {
    await native.setLocalDescription(description);
    const { type, sdp } = native.localDescription;
    signal("description", { type, sdp });
  };
  return {
    create: (label) => new W3cChannel(native.createDataChannel(label)),
    offer: async () => describe(await native.createOffer()),
    take: async (kind, content) => {
      if (kind === "candidate") return native.addIceCandidate(content);
      await native.setRemoteDescription(content);
      if (content.type === "offer") await describe(await native.createAnswer());
    },
    close: () => native.close(),
  };
};

// One end of a connection, or of another channel of it.
class End {
  signals = new Queue();
  channels = new Queue();
  messages = 0;
  bytes = 0;
  stopped = false;

  constructor(connection = null) {
    this.connection = connection;
  }

  // Until it is told otherwise it counts: what comes before anybody looks counts, too.
  use(channel) {
    this.channel = channel;
    channel.onMessage((data) => {
      this.messages++;
      this.bytes += data.byteLength;
    });
    return this;
  }

  // Seconds from making the offer to the open channel.
  async offer() {
    const started = performance.now();
    this.use(this.connection.create("benchmark"));
    const opened = new Promise((resolve) => this.channel.onOpen(resolve));
    await this.connection.offer();
    await opened;
    return (performance.now() - started) / 1000;
  }

  async flood(size, count) {
    const { channel } = this;
    const message = new Uint8Array(size);
    crypto.getRandomValues(message.subarray(0, 65536)); // it gives no more at once
    const burst = Math.min(256, Math.max(1, BUFFERED / size));
    this.stopped = false;
    for (let sent = 0; sent !== count && !this.stopped; sent++) {
      while (channel.buffered() > BUFFERED) await new Promise((resolve) => channel.onLow(resolve));
      channel.send(message);
      if (sent % burst === 0) await turn();
    }
  }

  async ping(size, count) {
    const message = new Uint8Array(size);
    const times = [];
    let arrived;
    this.channel.onMessage(() => arrived());
    for (let number = 0; number < count; number++) {
      const echoed = new Promise((resolve) => (arrived = resolve));
      const started = performance.now();
      this.channel.send(message);
      await echoed;
      times.push((performance.now() - started) / 1000);
    }
    return times;
  }

  close() {
    this.stopped = true;
    this.connection.close();
  }
}

globalThis.BenchmarkAgent = class {
  #connect;
  #ends = [];
  #pairs = [];

  constructor(connect) {
    this.#connect = connect;
  }

  handle({ op, end, ...given }) {
    return this.#operations[op](this.#ends[end], given);
  }

  #keep(end) {
    return this.#ends.push(end) - 1;
  }

  #open() {
    const end = new End();
    end.connection = this.#connect(
      (kind, content) => end.signals.put({ kind, content }),
      (channel) => end.channels.put(new End(end.connection).use(channel)),
    );
    return end;
  }

  #operations = {
    open: () => this.#keep(this.#open()),
    signal: (end) => end.signals.get(),
    take: async (end, { kind, content }) => {
      await end.connection.take(kind, content);
    },
    offer: (end) => end.offer(),
    // The channel that the other end opened, as another end.
    next: async (end) => this.#keep(await end.channels.get()),
    second: async (end) => {
      const second = new End(end.connection).use(end.connection.create("second"));
      await new Promise((resolve) => second.channel.onOpen(resolve));
      return this.#keep(second);
    },
    flood: (end, { size, count }) => end.flood(size, count),
    stop: (end) => {
      end.stopped = true;
    },
    count: ({ messages, bytes }) => ({ messages, bytes }),
    ping: (end, { size, count }) => end.ping(size, count),
    echo: ({ channel }) => channel.onMessage((data) => channel.send(data)),
    close: (end) => end.close(),
    // Both ends here, their signals passed on here.
    connectOften: async (_, { count }) => {
      const times = [];
      while (times.length < count) {
        const { seconds, close } = await this.#pair();
        times.push(seconds);
        close();
      }
      return times;
    },
    connectPairs: async (_, { count }) => {
      for (let number = 0; number < count; number++) this.#pairs.push(await this.#pair());
    },
    move: async (_, { pair, size, count }) => {
      const { one, two } = this.#pairs[pair];
      const all = two.messages + count;
      await one.flood(size, count);
      while (two.messages < all) await new Promise((resolve) => setTimeout(resolve, 1));
    },
    collect: () => globalThis.gc?.(),
  };

  async #pair() {
    const [one, two] = [this.#open(), this.#open()];
    let open = true;
    const passOn = async (from, to) => {
      while (open) {
        const { kind, content } = await from.signals.get();
        if (open) await to.connection.take(kind, content);
      }
    };
    const passing = Promise.race([passOn(one, two), passOn(two, one)]); // it ends only with an error
    const connected = Promise.all([one.offer(), two.channels.get()]);
    const [seconds, received] = await Promise.race([connected, passing]);
    const close = () => {
      open = false;
      one.close();
      two.close();
    };
    return { one, two: received, seconds, close };
  }
};
globalThis.w3cStack = w3cStack;
