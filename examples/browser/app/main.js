// The page: a view to join, a view of the room, and what leads from one to the other.

import { copyOnClick, find, showCommand } from "./dom.js";
import { Log } from "./log.js";
import { showMembers } from "./members.js";
import { Session } from "./session.js";
import { addressOf, fill, joinCommand, loadSite, read, remember, roomOfAddress } from "./settings.js";
import { Stage } from "./stage.js";
import { browserFault, cameraTrouble, joinTrouble, listText, nameOf, serverFault } from "./words.js";

const TITLE = document.title;
const ABSENCE_TIME = 300; // milliseconds

const form = find("#join-form");
const composer = find("#composer");
const input = find("#message");
const picker = find("#picker");
const log = new Log(find("#log"));
const stage = new Stage(find("#stage"));

const site = await loadSite();
let session = null;
let own = null;
let unread = 0;

// -- the way in and out

const show = (view) => {
  document.body.dataset.view = view;
  find("#join-view").hidden = view !== "join";
  find("#room-view").hidden = view !== "room";
};

const complain = ({ text = "", command = "" } = {}) => {
  const place = find("#join-trouble");
  place.hidden = text === "";
  place.querySelector("p").textContent = text;
  showCommand(place.querySelector("code"), command);
  place.querySelector(".command").hidden = command === "";
};

const join = async () => {
  const settings = read(form);
  const fault = browserFault() ?? serverFault(settings.server);
  complain(fault ? { text: fault } : {});
  if (fault !== null) return;
  const button = form.querySelector("button[type=submit]");
  button.disabled = true;
  button.textContent = "Joining …";
  try {
    const joined = await Session.join(settings);
    remember(settings, site);
    enter(joined, settings);
  } catch (error) {
    complain(joinTrouble(error, withoutPassword(settings.server)));
  } finally {
    button.disabled = false;
    button.textContent = "Join";
  }
};

const withoutPassword = (server) => server.replace(/\/\/.*@/u, "//");

const enter = (joined, settings) => {
  session = joined;
  own = { id: session.id, name: settings.name || "You", own: true };
  history.replaceState(null, "", addressOf(settings.room));
  find("#room-name").textContent = settings.room;
  for (const place of document.querySelectorAll(".join-command")) showCommand(place, joinCommand(settings, site));
  log.clear();
  stage.clear();
  showCamera();
  listen();
  refresh();
  signal(true);
  show("room");
  announceTitle();
  input.focus();
};

const leave = async () => {
  const left = session;
  session = null;
  stage.clear();
  show("join");
  announceTitle();
  form.elements.room.value = roomOfAddress() || form.elements.room.value;
  form.querySelector("button[type=submit]").focus();
  await left?.leave();
};

// -- what happens in the room

const authorOf = (peer) => ({ id: peer.id, name: nameOf(peer), own: false });

const listen = () => {
  const current = session;
  const on = (name, handler) => current.on(name, (event) => session === current && handler(event));
  on("members", refresh);
  on("here", ({ peer }) => log.presence(peer, "is here"));
  on("gone", ({ peer }) => log.presence(peer, "has left"));
  on("stream", ({ peer, stream }) => stage.show(stream, authorOf(peer)));
  on("stream gone", ({ stream }) => stage.remove(stream));
  on("trouble", ({ text }) => log.notice(text, "trouble"));
  on("signalling", ({ active }) => signal(active));
  on("said", ({ peer, text }) => note(() => log.said(authorOf(peer), text)));
  on("data", ({ peer, value }) => note(() => log.data(authorOf(peer), value)));
  on("file", ({ transfer }) => {
    if (transfer.direction === "out") log.file(own, transfer);
    else note(() => log.file(authorOf(transfer.peer), transfer));
  });
};

const refresh = () => {
  const { members, takers } = session;
  showMembers(find("#members"), own, session);
  find("#count").textContent = String(members.length + 1);
  find("#alone").hidden = members.length > 0;
  find("#attach").disabled = takers.length === 0;
  find("#attach").title = takers.length === 0 ? "Nobody here takes files" : `Send files to ${listText(takers.map(nameOf))}`;
};

const signal = (active) => {
  find("#signalling").hidden = active;
};

const note = (add) => {
  add();
  if (document.hidden) unread += 1;
  announceTitle();
};

const announceTitle = () => {
  const place = session ? `${session.name} · ${TITLE}` : TITLE;
  document.title = unread > 0 ? `(${unread}) ${place}` : place;
};

// -- saying something

const say = async () => {
  const text = input.value.trim();
  if (text === "") return;
  input.value = "";
  fit();
  const { listeners, delivered } = session.say(text);
  const tell = log.said(own, text);
  if (listeners.length === 0) {
    tell("lost", "Nobody was here to read it");
    return;
  }
  const slow = setTimeout(() => tell("sending", "Sending …"), ABSENCE_TIME);
  const failures = await delivered;
  clearTimeout(slow);
  const missed = Array.from(failures, ([peer, reason]) => `${nameOf(peer)} (${reason})`);
  tell(missed.length > 0 ? "lost" : "delivered", missed.length > 0 ? `Not delivered to ${listText(missed)}` : "");
};

const fit = () => {
  input.style.height = "auto";
  input.style.height = `${input.scrollHeight}px`;
};

// -- camera and microphone

const showCamera = () => {
  const on = Boolean(session?.camera);
  find("#camera").setAttribute("aria-pressed", String(on));
  find("#camera").title = on ? "Stop to share camera and microphone" : "Share camera and microphone";
};

const toggleCamera = async () => {
  const current = session;
  const button = find("#camera");
  if (current.camera !== null) {
    stage.remove(current.camera);
    current.stopCamera();
    showCamera();
    return;
  }
  button.disabled = true;
  try {
    const stream = await current.startCamera();
    if (session === current && stream !== null) stage.show(stream, own);
  } catch (error) {
    if (session === current) log.notice(cameraTrouble(error), "trouble");
  } finally {
    button.disabled = false;
    showCamera();
  }
};

find("#camera").addEventListener("click", toggleCamera);

// -- files

const sendFiles = (files) => {
  if (session === null || files.length === 0) return;
  if (session.takers.length === 0) {
    log.notice("Nobody here takes files. In a terminal, --output FOLDER takes them.", "trouble");
    return;
  }
  session.sendFiles(files);
};

// A folder can be dropped, too, and looks like a file; only its entry tells.
const droppedFiles = ({ items }) => {
  const files = Array.from(items).filter((item) => item.kind === "file");
  const folders = files.filter((item) => item.webkitGetAsEntry?.()?.isDirectory);
  if (folders.length > 0) log.notice("A folder cannot be sent. Send its files, or an archive of it.", "trouble");
  return files.filter((item) => !folders.includes(item)).map((item) => item.getAsFile()).filter(Boolean);
};

const carriesFiles = (event) => session !== null && event.dataTransfer?.types.includes("Files");

let dragging = 0;
const drag = (depth) => {
  dragging = Math.max(depth, 0);
  find("#drop").hidden = dragging === 0;
};

addEventListener("dragenter", (event) => carriesFiles(event) && drag(dragging + 1));
addEventListener("dragleave", (event) => carriesFiles(event) && drag(dragging - 1));
addEventListener("dragover", (event) => carriesFiles(event) && event.preventDefault());
addEventListener("drop", (event) => {
  if (!carriesFiles(event)) return;
  event.preventDefault();
  drag(0);
  sendFiles(droppedFiles(event.dataTransfer));
});

picker.addEventListener("change", () => {
  sendFiles(Array.from(picker.files));
  picker.value = "";
});
find("#attach").addEventListener("click", () => picker.click());
input.addEventListener("paste", (event) => {
  const files = Array.from(event.clipboardData.files);
  if (files.length === 0) return;
  event.preventDefault();
  sendFiles(files);
});

// -- the rest of the page

form.addEventListener("submit", (event) => {
  event.preventDefault();
  join();
});
form.addEventListener("input", () => {
  showCommand(find("#join-command"), joinCommand(read(form), site));
});
composer.addEventListener("submit", (event) => {
  event.preventDefault();
  say();
});
input.addEventListener("input", fit);
input.addEventListener("keydown", (event) => {
  if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
  event.preventDefault();
  say();
});
find("#leave").addEventListener("click", leave);
copyOnClick(find("#copy-link"), () => location.href);
for (const button of document.querySelectorAll(".copy-command")) {
  copyOnClick(button, () => button.parentElement.querySelector("code").textContent);
}
document.addEventListener("visibilitychange", () => {
  if (!document.hidden) unread = 0;
  announceTitle();
});
addEventListener("hashchange", () => {
  if (session !== null && roomOfAddress() === session.name) return;
  form.elements.room.value = roomOfAddress() || form.elements.room.value;
  form.dispatchEvent(new Event("input"));
  if (session !== null) leave();
});
// A page that is gone has left; if the browser brings it back as it was, it can join again.
addEventListener("pagehide", () => session && leave());

fill(form, site);
form.dispatchEvent(new Event("input"));
complain({ text: browserFault() ?? "" });
show("join");
