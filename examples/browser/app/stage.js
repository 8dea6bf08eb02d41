// The moving pictures of the room: one tile for each stream, with its sound.

import { element } from "./dom.js";

const MAX_TILES = 16;

export class Stage {
  #place;
  #tiles = new Map();

  constructor(place) {
    this.#place = place;
  }

  // `author` is {name, own}; nobody hears oneself.
  show(stream, author) {
    if (this.#tiles.has(stream) || this.#tiles.size >= MAX_TILES) return;
    const video = element("video", { autoplay: true, playsInline: true, muted: author.own });
    video.srcObject = stream;
    const name = element("figcaption", {}, element("bdi", { textContent: author.own ? "You" : author.name }));
    const tile = element("figure", { className: author.own ? "own" : "" }, video, name);
    this.#tiles.set(stream, tile);
    this.#place.append(tile);
    // A browser that plays no sound before a click shows at least the pictures.
    video.play().catch(() => {
      video.muted = true;
      video.play().catch(() => {});
    });
  }

  remove(stream) {
    const tile = this.#tiles.get(stream);
    if (!tile) return;
    tile.querySelector("video").srcObject = null;
    tile.remove();
    this.#tiles.delete(stream);
  }

  clear() {
    for (const stream of Array.from(this.#tiles.keys())) this.remove(stream);
  }
}
