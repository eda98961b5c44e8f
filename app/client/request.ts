/**
 * The one way to HTTP. No redirect is followed, which would carry a token or a passcode to another place, and every answer has a
 * limit of time and of size.
 */
import { Alarm, browserClock, type Clock } from './clock.ts';

/** Characters of one message, and of one whole answer. */
export const longestText = 2 ** 23;

export class HttpRequest {
  #stop = new AbortController();
  #alarm: Alarm;

  constructor(clock: Clock = browserClock) {
    this.#alarm = new Alarm(clock);
  }

  /** Whether it was ended from this side: by end(), too late, or too long. */
  get over(): boolean {
    return this.#stop.signal.aborted;
  }

  end(): void {
    this.#alarm.disarm();
    this.#stop.abort();
  }

  /** Ends it after so many milliseconds; the count restarts each time. */
  within(milliseconds: number): void {
    this.#alarm.arm(milliseconds, () => this.end());
  }

  /** @returns undefined when there is no answer within so many milliseconds, which also count for its body */
  async send(url: string | URL, init: RequestInit, milliseconds: number): Promise<Response | undefined> {
    this.within(milliseconds);
    // Without no-store Chromium lets tabs with the same URL wait for each other.
    const options: RequestInit = { ...init, redirect: 'error', cache: 'no-store', signal: this.#stop.signal };
    return fetch(url, options).catch(() => {
      this.#alarm.disarm();
      return undefined;
    });
  }

  /** Gives the text of an answer piece by piece, to its end or until `take` returns false. Never rejects. */
  async read(body: ReadableStream<BufferSource>, take: (piece: string) => boolean): Promise<void> {
    const reader = body.pipeThrough(new TextDecoderStream()).getReader();
    for (;;) {
      const { value } = await reader.read().catch(() => ({ value: undefined }));
      if (value === undefined || this.over || !take(value)) return this.end();
    }
  }

  /** The whole text of an answer: empty when there is none, cut off beyond `longestText`, so that nobody reads it. */
  async text(response: Response | undefined): Promise<string> {
    let text = '';
    const take = (piece: string) => {
      text += piece;
      return text.length <= longestText;
    };
    if (response?.body) await this.read(response.body, take);
    this.end();
    return text;
  }
}
