// Signalling over NATS: the bytes of a packet are a message, its namespace the subject (protocol/signalling.md).

import { wsconnect } from "../dist/nats-core.js";

const RECONNECT_WAIT = 250;

export class NatsDriver {
  #connection;
  #prefix;
  #listeners = new Set();

  constructor(connection, prefix) {
    this.#connection = connection;
    this.#prefix = prefix;
    this.active = true;
    this.#watch();
  }

  // Further options, such as user, pass and timeout (milliseconds), are those of wsconnect.
  static async connect(servers, { prefix = "", ...options } = {}) {
    const connection = await wsconnect({
      servers, noEcho: true, maxReconnectAttempts: -1, reconnectTimeWait: RECONNECT_WAIT, reconnectJitter: 0, ...options,
    });
    return new NatsDriver(connection, prefix);
  }

  async #watch() {
    for await (const { type } of this.#connection.status()) {
      if (type === "disconnect") this.#become(false);
      if (type === "reconnect") this.#become(true);
    }
  }

  #become(active) {
    this.active = active;
    for (const listener of this.#listeners) listener(active);
  }

  // Both give a function that ends it.
  onActive(listener) {
    return this.onChange((active) => active && listener());
  }

  onChange(listener) {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  async subscribe(namespace, handler) {
    const callback = (error, message) => error || handler(message.data);
    const subscription = this.#connection.subscribe(this.#prefix + namespace, { callback });
    await this.#connection.flush();
    return () => subscription.unsubscribe();
  }

  async publish(namespace, data) {
    if (this.active) this.#connection.publish(this.#prefix + namespace, data);
  }

  async close() {
    await this.#connection.close();
  }
}
