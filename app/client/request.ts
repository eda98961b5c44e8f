/**
 * All HTTP requests of the library. Redirects are not followed, because they could carry a token or a passcode to another server.
 * Every response has a timeout and a maximum size.
 */
import { Alarm, browserClock, type Clock } from './clock.ts';

/** Maximum characters of one message, and of one whole response. */
export const longestText = 2 ** 23;

export class HttpRequest {
  #controller = new AbortController();
  #alarm: Alarm;

  constructor(clock: Clock = browserClock) {
    this.#alarm = new Alarm(clock);
  }

  /** Whether this side ended it: by end(), a timeout, or the size limit. */
  get over(): boolean {
    return this.#controller.signal.aborted;
  }

  end(): void {
    this.#alarm.disarm();
    this.#controller.abort();
  }

  /** Sets or restarts the timeout, in milliseconds. */
  within(milliseconds: number): void {
    this.#alarm.arm(milliseconds, () => this.end());
  }

  /** @returns undefined if the request fails. The timeout, in milliseconds, also covers the body. */
  async send(url: string | URL, init: RequestInit, milliseconds: number): Promise<Response | undefined> {
    this.within(milliseconds);
    // Without no-store Chromium serializes requests of several tabs to the same URL.
    const options: RequestInit = { ...init, redirect: 'error', cache: 'no-store', signal: this.#controller.signal };
    return fetch(url, options).catch(() => {
      this.#alarm.disarm();
      return undefined;
    });
  }

  /** Passes the text of a response to `take` in chunks, until it ends or `take` returns false. Never rejects. */
  async read(body: ReadableStream<BufferSource>, take: (chunk: string) => boolean): Promise<void> {
    const reader = body.pipeThrough(new TextDecoderStream()).getReader();
    for (;;) {
      const { value } = await reader.read().catch(() => ({ value: undefined }));
      if (value === undefined || this.over || !take(value)) return this.end();
    }
  }

  /** The text of a response; empty without one. Reading stops once it exceeds `longestText`, so that the parser rejects it. */
  async text(response: Response | undefined): Promise<string> {
    let text = '';
    const take = (chunk: string) => {
      text += chunk;
      return text.length <= longestText;
    };
    if (response?.body) await this.read(response.body, take);
    this.end();
    return text;
  }
}
