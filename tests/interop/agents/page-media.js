// What a page sends and shows: canvases of one colour, tones, the browser's fake devices; pictures and sound as bytes.

const FRAME_TIME = 33; // milliseconds
const WINDOW = 16384; // samples of sound that are looked at together

const later = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

export class PageMedia {
  #context = null;

  get audio() {
    return (this.#context ??= new AudioContext({ sampleRate: 48000 }));
  }

  // A track that is sent: {kind, color, width, height}, {kind, pitch} or {kind, device}. It ends with `end()`.
  async source(wanted) {
    if (wanted.device) {
      const stream = await navigator.mediaDevices.getUserMedia({ [wanted.kind]: true });
      const [track] = stream.getTracks();
      return { track, end: () => track.stop() };
    }
    return wanted.kind === "video" ? this.#canvas(wanted) : this.#tone(wanted);
  }

  #canvas({ color, width, height }) {
    const canvas = Object.assign(document.createElement("canvas"), { width, height });
    const context = canvas.getContext("2d");
    let count = 0;
    const draw = () => {
      context.fillStyle = `rgb(${color.join(" ")})`;
      context.fillRect(0, 0, width, height);
      // Something has to change, or there are no new pictures.
      context.fillStyle = count++ % 2 ? "black" : "white";
      context.fillRect(0, 0, 2, 2);
    };
    draw();
    const [track] = canvas.captureStream(30).getTracks();
    const timer = setInterval(draw, FRAME_TIME);
    const end = () => {
      clearInterval(timer);
      track.stop();
    };
    return { track, end };
  }

  #tone({ pitch }) {
    const oscillator = new OscillatorNode(this.audio, { frequency: pitch });
    const gain = new GainNode(this.audio, { gain: 0.5 });
    const destination = new MediaStreamAudioDestinationNode(this.audio);
    oscillator.connect(gain).connect(destination);
    oscillator.start();
    const [track] = destination.stream.getTracks();
    const end = () => {
      oscillator.stop();
      track.stop();
    };
    return { track, end };
  }

  // What shows a track of the other side.
  sink(track) {
    return new Player(track, this);
  }
}

class Player {
  #element;
  #media;
  #stream;

  constructor(track, media) {
    this.#media = media;
    this.#stream = new MediaStream([track]);
    // Chromium hands sound to nobody unless an element plays it as well.
    this.#element = Object.assign(document.createElement(track.kind), { srcObject: this.#stream });
    this.#element.play().catch(() => {}); // it was ended meanwhile
  }

  // The next picture that differs in time from the last one, as it is shown: RGBA.
  async picture() {
    const video = this.#element;
    const before = video.currentTime;
    while (!video.videoWidth || video.currentTime === before) await later(5);
    const { videoWidth: width, videoHeight: height } = video;
    const context = new OffscreenCanvas(width, height).getContext("2d");
    context.drawImage(video, 0, 0);
    return { width, height, pixels: context.getImageData(0, 0, width, height).data };
  }

  // Some sound: samples from -1 to 1.
  async sound() {
    const { audio } = this.#media;
    const source = new MediaStreamAudioSourceNode(audio, { mediaStream: this.#stream });
    const analyser = new AnalyserNode(audio, { fftSize: WINDOW });
    source.connect(analyser);
    const samples = new Float32Array(WINDOW);
    // All of the window has to be of the time after the first sound.
    while (!samples.some((sample) => Math.abs(sample) > 0.01)) {
      await later(20);
      analyser.getFloatTimeDomainData(samples);
    }
    await later((1.2 * WINDOW * 1000) / audio.sampleRate);
    analyser.getFloatTimeDomainData(samples);
    source.disconnect();
    return { rate: audio.sampleRate, samples };
  }

  end() {
    this.#element.srcObject = null;
  }
}
