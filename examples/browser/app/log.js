// What was said and done in the room, oldest first. All text in it is text, whatever others put into it.

import { element, icon, throttled } from "./dom.js";
import { avatar } from "./members.js";
import { listText, nameOf, showable, sizeText, timeText } from "./words.js";

const MAX_ENTRIES = 1000;
const GROUP_TIME = 120_000; // milliseconds within which somebody's messages stand together
const REFRESH_TIME = 60; // milliseconds between two looks at a transfer
const NEAR_END = 40; // pixels
const PREVIEWS = new Set(["image/png", "image/jpeg", "image/gif", "image/webp", "image/avif"]);
const MAX_PREVIEW_SIZE = 20_000_000; // bytes

export class Log {
  #list;
  #last = null;
  #urls = new Map();
  #scroller;
  #follows = true;

  constructor(list) {
    this.#list = list;
    this.#scroller = list.parentElement;
    // Who reads the end goes on to see it, also when a picture comes in or the keyboard of a phone opens. Only
    // scrolling up ends that: what has just come in is not yet scrolled to when the event comes.
    let before = 0;
    this.#scroller.addEventListener("scroll", () => {
      const { scrollHeight, scrollTop, clientHeight } = this.#scroller;
      if (scrollHeight - scrollTop - clientHeight < NEAR_END) this.#follows = true;
      else if (scrollTop < before) this.#follows = false;
      before = scrollTop;
    });
    const sizes = new ResizeObserver(() => this.#follows && this.#scrollToEnd());
    sizes.observe(list);
    sizes.observe(this.#scroller);
  }

  #scrollToEnd() {
    this.#follows = true;
    this.#scroller.scrollTop = this.#scroller.scrollHeight;
  }

  // -- what is in it

  notice(text, kind = "notice") {
    const last = this.#list.lastElementChild;
    // The same trouble again and again is one entry.
    if (kind !== "notice" && last?.dataset.text === text) return;
    const entry = element("li", { className: kind }, element("span", { textContent: text }));
    entry.dataset.text = text;
    this.#last = null;
    this.#add(entry);
  }

  presence(peer, verb) {
    const name = element("bdi", { textContent: nameOf(peer) });
    this.#last = null;
    this.#add(element("li", { className: "notice" }, element("span", {}, name, ` ${verb}`)));
  }

  // Gives what shows how it fared.
  said(author, text) {
    const bubble = element("p", { className: "bubble", textContent: showable(text), dir: "auto" });
    return this.#addBubble(author, bubble);
  }

  data(author, value) {
    if (value instanceof Blob || value instanceof ArrayBuffer) {
      const blob = new Blob([value], { type: "application/octet-stream" });
      const card = element("div", { className: "bubble file" });
      this.#addBubble(author, card);
      this.#showLink(card, { blob, name: "data.bin", size: blob.size });
      return;
    }
    this.#addBubble(author, element("pre", { className: "bubble", textContent: showable(JSON.stringify(value, null, 2)) }));
  }

  file(author, transfer) {
    const card = element("div", { className: "bubble file" });
    this.#addBubble(author, card);
    const show = () => this.#showFile(card, transfer);
    transfer.watch(throttled(show, REFRESH_TIME));
    show();
  }

  clear() {
    this.#list.replaceChildren();
    this.#last = null;
    for (const url of this.#urls.values()) URL.revokeObjectURL(url);
    this.#urls.clear();
  }

  // -- how it is put there

  #add(entry) {
    this.#list.append(entry);
    while (this.#list.childElementCount > MAX_ENTRIES) this.#forget(this.#list.firstElementChild);
    if (this.#follows || entry.classList.contains("own")) this.#scrollToEnd();
  }

  #forget(entry) {
    for (const card of entry.querySelectorAll(".file")) {
      URL.revokeObjectURL(this.#urls.get(card));
      this.#urls.delete(card);
    }
    entry.remove();
  }

  #addBubble({ id, name, own }, bubble) {
    const now = Date.now();
    const again = this.#last?.id === id && now - this.#last.at < GROUP_TIME;
    const entry = element("li", { className: `entry${own ? " own" : ""}${again ? " again" : ""}` });
    const head = element("div", { className: "head" });
    head.append(element("bdi", { className: "name", textContent: name }), element("time", { textContent: timeText() }));
    const note = element("p", { className: "fate" });
    entry.append(avatar(id, name), element("div", { className: "body" }, head, bubble, note));
    this.#last = { id, at: now };
    this.#add(entry);
    return (state, text) => {
      entry.dataset.fate = state;
      note.textContent = text;
    };
  }

  // -- files

  #showFile(card, transfer) {
    if (card.dataset.state === transfer.state && transfer.state === "running") {
      this.#advance(card, transfer);
      return;
    }
    const focused = card.contains(document.activeElement);
    card.dataset.state = transfer.state;
    card.replaceChildren();
    if (transfer.state === "done" && transfer.blob) {
      this.#showLink(card, transfer, transfer.info?.type);
    } else {
      card.append(icon("file"), element("bdi", { className: "name", textContent: transfer.name }));
    }
    if (!transfer.over) {
      const bar = element("progress", { max: 1 });
      bar.setAttribute("aria-label", `Progress of ${transfer.name}`);
      const cancel = element("button", { type: "button", className: "quiet small", textContent: "Cancel" });
      cancel.setAttribute("aria-label", `Cancel ${transfer.name}`);
      cancel.addEventListener("click", () => transfer.cancel());
      card.append(cancel, bar);
      if (focused) cancel.focus();
    }
    // What changes all the time is not read out.
    const live = transfer.over ? "polite" : "off";
    if (!card.querySelector(".detail")) card.append(element("p", { className: "detail", ariaLive: live }));
    this.#advance(card, transfer);
  }

  #advance(card, transfer) {
    const bar = card.querySelector("progress");
    if (bar && transfer.size) bar.value = transfer.current / transfer.size;
    card.querySelector(".detail").textContent = detailOf(transfer);
  }

  #showLink(card, { blob, name, size, detail }, type) {
    const url = URL.createObjectURL(blob);
    this.#urls.set(card, url);
    const link = element("a", { href: url, download: name, className: "save", title: `Save ${name}` });
    link.append(icon("save"), element("bdi", { className: "name", textContent: name }));
    card.append(link, element("p", { className: "detail", textContent: detail || sizeText(size) }));
    if (PREVIEWS.has(type) && size <= MAX_PREVIEW_SIZE) preview(blob, type).then((image) => image && card.prepend(image));
  }
}

// A picture is drawn once; what the browser cannot read as one is not shown.
const preview = async (blob, type) => {
  const image = element("img", { alt: "", className: "preview" });
  image.src = URL.createObjectURL(new Blob([blob], { type }));
  try {
    await image.decode();
    return image;
  } catch {
    return null;
  } finally {
    URL.revokeObjectURL(image.src);
  }
};

const detailOf = ({ direction, state, detail, name, size, current, startedAt, receivers, failures, peer }) => {
  const total = size === null ? "" : sizeText(size);
  if (state === "waiting") return total;
  if (state === "running") {
    const rate = current / Math.max((performance.now() - startedAt) / 1000, 0.1);
    const so = size === null ? sizeText(current) : `${sizeText(current)} of ${total}`;
    return `${so} · ${sizeText(rate)}/s`;
  }
  if (state === "cancelled") return `Stopped: ${detail}.`;
  if (state === "failed") return direction === "out" ? `Not sent: ${detail}.` : `Not received: ${detail}.`;
  if (direction === "in") return total;
  const reached = receivers.filter((each) => !failures.has(each)).map(nameOf);
  const missed = Array.from(failures, ([each, reason]) => `${nameOf(each)}: ${reason}`);
  return [`${total} · delivered to ${listText(reached)}`, ...missed].join(" · ");
};
