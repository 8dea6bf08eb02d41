// What the pages need from npm; `npm ci` makes one file of it, dist/nats-core.js, as browsers want it.
export { wsconnect } from "@nats-io/nats-core";
