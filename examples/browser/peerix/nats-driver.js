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

  static async connect(servers, { prefix = "" } = {}) {
    const connection = await wsconnect({
      servers, noEcho: true, maxReconnectAttempts: -1, reconnectTimeWait: RECONNECT_WAIT, reconnectJitter: 0,
    });
    return new NatsDriver(connection, prefix);
  }

  async #watch() {
    for await (const { type } of this.#connection.status()) {
      if (type === "disconnect") this.active = false;
      if (type !== "reconnect") continue;
      this.active = true;
      for (const listener of this.#listeners) listener();
    }
  }

  onActive(listener) {
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
