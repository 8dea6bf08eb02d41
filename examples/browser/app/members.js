// Who is in the room: a list beside the log, with how each of them is connected.

import { element } from "./dom.js";
import { takesFiles } from "./files.js";
import { nameOf } from "./words.js";

const STATES = {
  new: "connecting …",
  connecting: "connecting …",
  connected: "connected",
  disconnected: "out of reach",
  failed: "lost",
  closed: "gone",
};

// The same colour for the same member, wherever it is shown.
const hueOf = (id) => Array.from(id).reduce((sum, letter) => (sum * 31 + letter.codePointAt(0)) % 360, 7);

export const avatar = (id, name) => {
  const letter = Array.from(name.toUpperCase()).find((each) => /\p{L}|\p{N}/u.test(each)) ?? "·";
  const made = element("span", { className: "avatar", textContent: letter });
  made.setAttribute("aria-hidden", "true");
  made.style.setProperty("--hue", hueOf(id));
  return made;
};

const stateText = (peer, state) =>
  state === "connected" && !takesFiles(peer) ? "connected · takes no files" : (STATES[state] ?? state);

const row = (id, name, state, text) => {
  const about = element("span", { className: "about" }, element("bdi", { className: "name", textContent: name }));
  about.append(element("span", { className: "state", textContent: text }));
  const made = element("li", { className: "member" }, avatar(id, name), about);
  made.dataset.state = state;
  return made;
};

export const showMembers = (list, own, session) => {
  const rows = session.members.map((peer) => {
    const state = session.stateOf(peer);
    return row(peer.id, nameOf(peer), state, stateText(peer, state));
  });
  list.replaceChildren(row(own.id, own.name, "connected", "you"), ...rows);
};
