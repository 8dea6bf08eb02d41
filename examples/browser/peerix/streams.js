// The streams of one connection, in both directions. Each track that is shared has a section of its own; what the other
// side offers is received only. Labels go with the offers on the control channel, by the id of the stream
// (protocol/control.md).

const MAX_LABELS = 256;
const MAX_LABEL = 1024; // characters

const readLabels = (labels) => {
  const isLabel = ([id, label]) => typeof label === "string" && label !== "" && Math.max(id.length, label.length) <= MAX_LABEL;
  return new Map(Object.entries(labels ?? {}).filter(isLabel).slice(0, MAX_LABELS));
};

export class Streams {
  #native;
  #emit;
  #sent = new Map(); // label -> {stream, transceivers}
  #received = new Map(); // id of the stream -> {stream, label, tracks}
  #labels = new Map();

  // emit(name, event): "stream:add" and "stream:remove" {stream, label}, "track:add" and "track:remove" {track, ...}.
  constructor(native, emit) {
    this.#native = native;
    this.#emit = emit;
    native.ontrack = ({ track, streams }) => streams.forEach((stream) => this.#receive(track, stream));
  }

  // -- what is shared

  // For the offer: all labels, by the id of the stream.
  get labels() {
    return Object.fromEntries(Array.from(this.#sent, ([label, { stream }]) => [stream.id, label]));
  }

  share(label, stream) {
    this.unshare(label);
    const add = (track) => this.#native.addTransceiver(track, { direction: "sendonly", streams: [stream] });
    this.#sent.set(label, { stream, transceivers: stream.getTracks().map(add) });
  }

  unshare(label) {
    for (const transceiver of this.#sent.get(label)?.transceivers ?? []) transceiver.stop();
    this.#sent.delete(label);
  }

  // -- what the other side shares

  // Those of its last offer, before the offer itself is looked at.
  learn(labels) {
    this.#labels = readLabels(labels);
  }

  #receive(track, stream) {
    if (!this.#received.has(stream.id)) {
      const label = this.#labels.get(stream.id) ?? stream.id;
      this.#received.set(stream.id, { stream, label, tracks: new Set() });
      this.#emit("stream:add", { stream, label });
    }
    const { label, tracks } = this.#received.get(stream.id);
    tracks.add(track);
    this.#emit("track:add", { track, stream, label });
    const gone = () => this.#remove(track, stream.id);
    track.addEventListener("ended", gone, { once: true });
    stream.addEventListener("removetrack", (event) => event.track === track && gone());
  }

  #remove(track, id) {
    const entry = this.#received.get(id);
    if (!entry?.tracks.delete(track)) return;
    const { stream, label, tracks } = entry;
    this.#emit("track:remove", { track, stream, label });
    if (tracks.size > 0) return;
    this.#received.delete(id);
    this.#emit("stream:remove", { stream, label });
  }

  // The connection is closed: its tracks say nothing of that.
  end() {
    for (const [id, { tracks }] of this.#received) for (const track of tracks) this.#remove(track, id);
  }
}
