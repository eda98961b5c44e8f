/**
 * The server side of the library's requests: keeps them with their times, and responds as the test says. Use `fetch` in place of the
 * global.
 */
import type { FakeClock } from './fake-clock.ts';

export type Asked = { at: number; path: string; accept: string | undefined; body: string; init: RequestInit };
/** undefined: no response, for ever. */
export type Given = { status?: number; type?: string; body: string | ReadableStream<Uint8Array> } | undefined;

const encoder = new TextEncoder();

export class FakeHttp {
  requests: Asked[] = [];
  answer: (asked: Asked) => Given;
  #clock: FakeClock;

  constructor(clock: FakeClock, answer: (asked: Asked) => Given) {
    this.#clock = clock;
    this.answer = answer;
  }

  /** The requests whose path begins with one of these letters. */
  of(path: string): Asked[] {
    return this.requests.filter((asked) => asked.path.startsWith(path));
  }

  fetch = (url: string | URL, init: RequestInit = {}): Promise<Response> =>
    new Promise((resolve, reject) => {
      const { pathname, search } = new URL(url);
      const path = pathname.replace(/^.*\//, '') + search;
      const { accept } = (init.headers ?? {}) as Record<string, string>;
      const asked: Asked = { at: this.#clock.now, path, accept, body: String(init.body ?? ''), init };
      this.requests.push(asked);
      init.signal?.addEventListener('abort', () => reject(init.signal?.reason));
      const given = this.answer(asked);
      if (given) resolve(responseOf(given, init.signal ?? undefined));
    });
}

const responseOf = ({ status = 200, type = 'application/json', body }: NonNullable<Given>, signal?: AbortSignal) => {
  const source = typeof body === 'string' ? piecesOf([body]) : body;
  const through = source.pipeThrough(new TransformStream<Uint8Array, Uint8Array>(), signal ? { signal } : {});
  return new Response(through as ReadableStream<Uint8Array<ArrayBuffer>>, {
    status,
    headers: { 'content-type': type },
  });
};

/** A body of these pieces, each produced when it is read; without an end if it is `endless`. */
export const piecesOf = (pieces: Iterable<string>, endless = false): ReadableStream<Uint8Array> => {
  const left = pieces[Symbol.iterator]();
  return new ReadableStream(
    {
      pull(controller) {
        const { value, done } = left.next();
        if (!done) return controller.enqueue(encoder.encode(value));
        if (endless) return new Promise(() => {});
        controller.close();
      },
    },
    { highWaterMark: 0 },
  );
};
