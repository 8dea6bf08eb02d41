// What the form on the first view asks for, and what of it the browser remembers.

const STORE = "peerix.example";
const FALLBACK = { server: "ws://127.0.0.1:4223", driver: "nats://127.0.0.1:4222", command: "peerix" };
const SWITCHES = ["encryption", "hashing", "compression"];

// Who serves the page says where the server is; a plain web server knows nothing of that.
export const loadSite = async () => {
  try {
    const response = await fetch("site.json");
    return { ...FALLBACK, ...(response.ok ? await response.json() : {}) };
  } catch {
    return FALLBACK;
  }
};

const remembered = () => {
  try {
    return JSON.parse(localStorage.getItem(STORE)) ?? {};
  } catch {
    return {};
  }
};

export const roomOfAddress = () => {
  try {
    return decodeURIComponent(location.hash.slice(1));
  } catch {
    return "";
  }
};

export const addressOf = (room) => `#${encodeURIComponent(room)}`;

export const fill = (form, site) => {
  const known = remembered();
  form.elements.room.value = roomOfAddress() || known.room || "demo";
  form.elements.name.value = known.name ?? "";
  form.elements.server.value = known.server ?? site.server;
  form.elements.stun.value = known.stun ?? "";
  for (const name of SWITCHES) form.elements[name].checked = known[name] ?? true;
};

export const read = (form) => {
  const texts = ["room", "name", "server", "stun"].map((name) => [name, form.elements[name].value.trim()]);
  const switches = SWITCHES.map((name) => [name, form.elements[name].checked]);
  return Object.fromEntries([...texts, ...switches]);
};

export const remember = (settings, site) => {
  const { server, ...rest } = settings;
  // Not a password; and not the address that the page came with: it may be another one next time.
  const own = server === site.server || server.includes("@") ? {} : { server };
  try {
    localStorage.setItem(STORE, JSON.stringify({ ...rest, ...own }));
  } catch {
    // A private window may have no store; then nothing is remembered.
  }
};

// A word for the shell, quoted when it has to be.
const quoted = (text) => (/^[\w@%+=:,./-]+$/u.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`);

const driverOf = (server, site) => {
  if (server === site.server) return site.driver;
  return `nats://${URL.canParse(server) ? new URL(server).hostname : "HOST"}:4222`;
};

// What joins the same room from a terminal.
export const joinCommand = ({ room, server, encryption, hashing }, site) => {
  const driver = quoted(driverOf(server, site));
  const parts = [site.command, "join", quoted(room), "--driver", driver, "--output", "received"];
  if (!encryption) parts.push("--no-encryption");
  if (!hashing) parts.push("--no-hashing");
  return (room.startsWith("-") ? [...parts.slice(0, 2), ...parts.slice(3), "--", parts[2]] : parts).join(" ");
};
