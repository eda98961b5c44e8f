/** A typed emitter: what the library's parts tell each other, and the page. */

type Listener<Value> = (value: Value) => void;

/** The listening half, which is all that outsiders get. `on` returns the function that stops listening. */
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
        // A listener's mistake is reported as what it is, and stops neither the others nor the conversation.
        reportError(error);
      }
    }
  }
}
