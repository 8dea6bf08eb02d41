// What @roamhq/wrtc sends and receives: pictures of one colour, tones; pictures and sound as bytes.

const FRAME_TIME = 33; // milliseconds
const RATE = 48000;
const PIECE = RATE / 100; // the samples that it takes at once
const WINDOW = 16384; // samples of sound that are looked at together

export class WrtcMedia {
  #wrtc;

  constructor(wrtc) {
    this.#wrtc = wrtc;
  }

  async source(wanted) {
    return wanted.kind === "video" ? this.#picture(wanted) : this.#tone(wanted);
  }

  #picture({ color, width, height }) {
    const { RTCVideoSource, rgbaToI420 } = this.#wrtc.nonstandard;
    const source = new RTCVideoSource();
    const rgba = new Uint8ClampedArray(width * height * 4);
    for (let at = 0; at < rgba.length; at += 4) rgba.set([...color, 255], at);
    const data = new Uint8ClampedArray(width * height * 1.5);
    rgbaToI420({ width, height, data: rgba }, { width, height, data });
    const timer = setInterval(() => source.onFrame({ width, height, data }), FRAME_TIME);
    return { track: source.createTrack(), end: () => clearInterval(timer) };
  }

  #tone({ pitch }) {
    const source = new this.#wrtc.nonstandard.RTCAudioSource();
    const started = performance.now();
    let position = 0;
    const play = () => {
      // Timers are late at times: what is missing is made up for.
      for (; position < ((performance.now() - started) * RATE) / 1000; position += PIECE) {
        const samples = new Int16Array(PIECE);
        for (let at = 0; at < PIECE; at++) {
          samples[at] = 16384 * Math.sin((2 * Math.PI * pitch * (position + at)) / RATE);
        }
        source.onData({ samples, sampleRate: RATE, bitsPerSample: 16, channelCount: 1, numberOfFrames: PIECE });
      }
    };
    const timer = setInterval(play, 10);
    return { track: source.createTrack(), end: () => clearInterval(timer) };
  }

  sink(track) {
    const { nonstandard } = this.#wrtc;
    return track.kind === "video" ? new Pictures(track, nonstandard) : new Sound(track, nonstandard);
  }
}

class Pictures {
  #sink;
  #toRgba;
  #waiting = [];

  constructor(track, { RTCVideoSink, i420ToRgba }) {
    this.#toRgba = i420ToRgba;
    this.#sink = new RTCVideoSink(track);
    this.#sink.onframe = ({ frame }) => {
      for (const resolve of this.#waiting.splice(0)) resolve(this.#convert(frame));
    };
  }

  #convert({ width, height, data }) {
    const pixels = new Uint8ClampedArray(width * height * 4);
    this.#toRgba({ width, height, data }, { width, height, data: pixels });
    return { width, height, pixels };
  }

  picture() {
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  end() {
    this.#sink.stop();
  }
}

class Sound {
  #sink;
  #pieces = null;
  #wanted = null;

  constructor(track, { RTCAudioSink }) {
    this.#sink = new RTCAudioSink(track);
    this.#sink.ondata = ({ samples, sampleRate, channelCount }) => this.#take(samples, sampleRate, channelCount);
  }

  #take(samples, rate, channels) {
    if (this.#wanted === null) return;
    const first = Float32Array.from({ length: samples.length / channels }, (_, at) => samples[at * channels] / 32768);
    // What comes before the first sound says nothing of it.
    if (!this.#pieces.length && !first.some((sample) => Math.abs(sample) > 0.01)) return;
    this.#pieces.push(first);
    if (this.#pieces.length * first.length < WINDOW) return;
    this.#wanted({ rate, samples: Float32Array.from(this.#pieces.flatMap((piece) => [...piece])) });
    this.#wanted = null;
  }

  sound() {
    this.#pieces = [];
    return new Promise((resolve) => (this.#wanted = resolve));
  }

  end() {
    this.#sink.stop();
  }
}
