/** Takes an event stream apart, piece by piece. https://html.spec.whatwg.org/multipage/server-sent-events.html#parsing-an-event-stream */

export class EventStream {
  #tell: (id: string, data: string) => void;
  #longest: number;
  #line = '';
  #id = '';
  #data = '';
  #endedInCr = false;

  /** @param longest characters of one event */
  constructor(longest: number, tell: (id: string, data: string) => void) {
    this.#tell = tell;
    this.#longest = longest;
  }

  /** @returns false when an event is too long: the stream is of no use any more */
  take(piece: string): boolean {
    // The other half of a CRLF that came in two pieces.
    const text = this.#endedInCr && piece[0] === '\n' ? piece.slice(1) : piece;
    this.#endedInCr = piece.endsWith('\r');
    const [first = '', ...lines] = text.split(/\r\n|[\r\n]/);
    this.#line += first;
    for (const next of lines) {
      this.#end(this.#line);
      this.#line = next;
    }
    return this.#line.length + this.#data.length <= this.#longest;
  }

  #end(line: string): void {
    if (line === '') {
      this.#tell(this.#id, this.#data);
      this.#id = '';
      this.#data = '';
    }
    const colon = line.indexOf(':');
    const field = line.slice(0, colon);
    const value = line.slice(colon + 1).trimStart();
    if (field === 'id') this.#id = value;
    // JSON needs no line ends between its lines.
    if (field === 'data') this.#data += value;
  }
}
