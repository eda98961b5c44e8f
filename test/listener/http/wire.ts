/** HTTP/1.1 responses parsed byte by byte, so that nothing is missed that a library would tolerate. */
import { once } from 'node:events';
import type { Socket } from 'node:net';

/** `headers` as received, with lower-case names; `body` without chunk encoding. */
export type WireAnswer = { version: string; status: number; headers: [string, string][]; body: Buffer };

export const header = (answer: WireAnswer, name: string): string | undefined =>
  answer.headers.find(([candidate]) => candidate === name)?.[1];

/** Reads the responses on a connection one after the other. `methods` of their requests, in order. */
export class WireReader {
  #bytes = Buffer.alloc(0);
  #ended = false;
  readonly #socket: Socket;

  constructor(socket: Socket) {
    this.#socket = socket;
    socket.on('data', (chunk: Buffer) => {
      this.#bytes = Buffer.concat([this.#bytes, chunk]);
    });
    for (const event of ['end', 'close'])
      socket.on(event, () => {
        this.#ended = true;
      });
  }

  /**
   * The next final response; 1xx are skipped.
   * @throws when the connection ends before it is complete
   */
  async next(method = 'GET'): Promise<WireAnswer> {
    for (;;) {
      const answer = await this.#answer(method);
      if (answer.status >= 200) return answer;
    }
  }

  /** What remains when the other side has closed. */
  async rest(): Promise<string> {
    while (!this.#ended) await this.#more();
    return this.#bytes.toString('latin1');
  }

  async #answer(method: string): Promise<WireAnswer> {
    const head = (await this.#until('\r\n\r\n')).toString('latin1').split('\r\n');
    const [, version = '', status = ''] = /^(HTTP\/1\.\d) (\d{3}) /.exec(head[0] ?? '') ?? [];
    if (version === '') throw new Error(`no status line: ${head[0]}`);
    const headers = head.slice(1).map((line): [string, string] => {
      const colon = line.indexOf(':');
      return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()];
    });
    const answer = { version, status: Number(status), headers, body: Buffer.alloc(0) };
    return { ...answer, body: await this.#body(answer, method) };
  }

  #body(answer: WireAnswer, method: string): Promise<Buffer> | Buffer {
    if (method === 'HEAD' || answer.status < 200 || answer.status === 204 || answer.status === 304) return answer.body;
    if (header(answer, 'transfer-encoding') === 'chunked') return this.#chunks();
    const length = header(answer, 'content-length');
    return length === undefined ? this.#all() : this.#take(Number(length));
  }

  async #chunks(): Promise<Buffer> {
    const chunks: Buffer[] = [];
    for (;;) {
      const size = Number.parseInt((await this.#until('\r\n')).toString(), 16);
      chunks.push(await this.#take(size));
      if ((await this.#until('\r\n')).length > 0) throw new Error('a chunk is longer than it says');
      if (size === 0) return Buffer.concat(chunks);
    }
  }

  async #all(): Promise<Buffer> {
    while (!this.#ended) await this.#more();
    return this.#take(this.#bytes.length);
  }

  async #until(mark: string): Promise<Buffer> {
    for (;;) {
      const end = this.#bytes.indexOf(mark);
      if (end >= 0) {
        const found = await this.#take(end);
        await this.#take(mark.length);
        return found;
      }
      await this.#more();
    }
  }

  async #take(length: number): Promise<Buffer> {
    while (this.#bytes.length < length) await this.#more();
    const taken = this.#bytes.subarray(0, length);
    this.#bytes = this.#bytes.subarray(length);
    return taken;
  }

  async #more(): Promise<void> {
    if (this.#ended) throw new Error(`the connection ended after ${this.#bytes.toString('latin1', 0, 200)}`);
    const { promise, resolve } = Promise.withResolvers<void>();
    for (const event of ['data', 'end', 'close']) this.#socket.once(event, resolve);
    await promise;
    for (const event of ['data', 'end', 'close']) this.#socket.off(event, resolve);
  }
}

/** Resolves when the other side has closed. */
export const closed = async (socket: Socket): Promise<void> => {
  if (!socket.destroyed) await once(socket, 'close');
};
