/** Incremental parser for event streams. https://html.spec.whatwg.org/multipage/server-sent-events.html#parsing-an-event-stream */

export class EventStream {
  #onEvent: (id: string, data: string) => void;
  #maxLength: number;
  #line = '';
  #id = '';
  #data = '';
  #endedInCr = false;

  /** @param maxLength characters of one event */
  constructor(maxLength: number, onEvent: (id: string, data: string) => void) {
    this.#onEvent = onEvent;
    this.#maxLength = maxLength;
  }

  /** @returns false if an event is too long: the stream must be closed */
  take(chunk: string): boolean {
    // The second half of a CRLF that was split between two chunks.
    const text = this.#endedInCr && chunk[0] === '\n' ? chunk.slice(1) : chunk;
    this.#endedInCr = chunk.endsWith('\r');
    const [first = '', ...lines] = text.split(/\r\n|[\r\n]/);
    this.#line += first;
    for (const next of lines) {
      this.#end(this.#line);
      this.#line = next;
    }
    return this.#line.length + this.#data.length <= this.#maxLength;
  }

  #end(line: string): void {
    if (line === '') {
      this.#onEvent(this.#id, this.#data);
      this.#id = '';
      this.#data = '';
    }
    const colon = line.indexOf(':');
    const field = line.slice(0, colon);
    const value = line.slice(colon + 1).trimStart();
    if (field === 'id') this.#id = value;
    // Line breaks between data lines are dropped: JSON does not need them.
    if (field === 'data') this.#data += value;
  }
}
