/** Encoding and parsing of server-sent events; https://html.spec.whatwg.org/multipage/server-sent-events.html */

/** The fields of one event; `comment` is the text after a colon at the start of a line. */
export type Block = { id?: string; data?: string; retry?: string; comment?: string; event?: string };

/**
 * Puts JSON text on one line for every kind of reader. CR and LF in JSON text are only white space. NEL, U+2028 and U+2029 occur
 * only in its strings, where they can be escaped: readers that split by `\R` or `splitlines()` would cut the message there.
 */
export const onOneLine = (json: string): string =>
  json.replaceAll(/[\r\n\u0085\u2028\u2029]/g, (character) =>
    character < ' ' ? ' ' : `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );

/** Incremental parser of an event stream. A line ends with CR, LF or CRLF and nothing else, an event with an empty line. */
export class BlockReader {
  /** The start of an incomplete line. */
  #line = '';
  #endedInCr = false;
  /** The lines of the incomplete event. */
  #lines: string[] = [];
  #length = 0;

  /** Characters of the incomplete event, of which one ends each line. A client closes a stream whose event is too long. */
  get pending(): number {
    return this.#length + this.#line.length;
  }

  /** The events that this chunk of decoded text completes. */
  read(chunk: string): Block[] {
    const text = this.#endedInCr && chunk.startsWith('\n') ? chunk.slice(1) : chunk;
    if (chunk !== '') this.#endedInCr = chunk.endsWith('\r');
    // Only the new text is searched: a long line arrives in many chunks.
    const [first = '', ...starts] = text.split(/\r\n|\r|\n/);
    this.#line += first;
    return starts.flatMap((start) => {
      const line = this.#line;
      this.#line = start;
      if (line !== '') {
        this.#lines.push(line);
        // Its end counts too: otherwise lines could be of any number.
        this.#length += line.length + 1;
        return [];
      }
      this.#length = 0;
      return this.#lines.length > 0 ? [blockOf(this.#lines.splice(0))] : [];
    });
  }
}

/** All others are ignored, as the standard requires: an event could have any number of them. */
const fields = new Set(['id', 'data', 'retry', 'event']);

const blockOf = (lines: string[]): Block => {
  const block: Record<string, string> = {};
  for (const line of lines) {
    const colon = line.indexOf(':');
    const name = colon === 0 ? 'comment' : colon < 0 ? line : line.slice(0, colon);
    if (colon !== 0 && !fields.has(name)) continue;
    const value = colon < 0 ? '' : line.slice(colon + 1).replace(/^ /, '');
    // Several `data` lines form one text.
    block[name] = name === 'data' && block.data !== undefined ? `${block.data}\n${value}` : value;
  }
  return block;
};
