/** A typed event emitter. */

type Listener<Value> = (value: Value) => void;

/** The subscribing half of an emitter. `on` returns a function that removes the listener. */
export type Source<Events> = {
  on<Name extends keyof Events>(name: Name, listener: Listener<Events[Name]>): () => void;
};

export class Emitter<Events> implements Source<Events> {
  #listeners: { [Name in keyof Events]?: Set<Listener<Events[Name]>> } = {};

  on<Name extends keyof Events>(name: Name, listener: Listener<Events[Name]>): () => void {
    const listeners = this.#listeners[name] ?? new Set();
    this.#listeners[name] = listeners.add(listener);
    return () => listeners.delete(listener);
  }

  emit<Name extends keyof Events>(name: Name, value: Events[Name]): void {
    for (const listener of [...(this.#listeners[name] ?? [])]) {
      try {
        listener(value);
      } catch (error) {
        // An exception in a listener is reported, and affects neither other listeners nor the connection.
        reportError(error);
      }
    }
  }
}
