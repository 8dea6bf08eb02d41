// Things that have to wait for one another.

// Runs tasks one after the other; a task that fails does not hold up the next one.
export class TaskQueue {
  #last = Promise.resolve();

  run(task) {
    const result = this.#last.then(task);
    this.#last = result.catch(() => {});
    return result;
  }
}

// Values on their way to a reader that takes them one by one.
export class Mailbox {
  #values = [];
  #waiting = [];
  #end = null;

  put(value) {
    if (this.#end) return;
    const waiter = this.#waiting.shift();
    if (waiter) waiter.resolve({ value, done: false });
    else this.#values.push(value);
  }

  close(error = null) {
    this.#end ??= { error };
    for (const waiter of this.#waiting.splice(0)) this.#settle(waiter);
  }

  #settle({ resolve, reject }) {
    if (this.#end.error) reject(this.#end.error);
    else resolve({ value: undefined, done: true });
  }

  next() {
    if (this.#values.length) return Promise.resolve({ value: this.#values.shift(), done: false });
    return new Promise((resolve, reject) => {
      if (this.#end) this.#settle({ resolve, reject });
      else this.#waiting.push({ resolve, reject });
    });
  }

  [Symbol.asyncIterator]() {
    return this;
  }
}

// Calls who listens to a name, and who listens to its group: "channel" hears "channel:open".
export class Emitter {
  #handlers = new Map();

  on(name, handler) {
    const handlers = this.#handlers.get(name) ?? new Set();
    this.#handlers.set(name, handlers.add(handler));
    return () => handlers.delete(handler);
  }

  emit(name, event = {}) {
    const [group] = name.split(":");
    for (const key of new Set([group, name])) {
      for (const handler of this.#handlers.get(key) ?? []) handler({ name, ...event });
    }
  }
}
