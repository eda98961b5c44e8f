/** What a session needs of its transport. */

import type { OutgoingText } from './encode.ts';

/** Sends text to the peer. */
export interface MessageWriter {
  /** @returns false if it was not sent, because too much unread data is buffered for the peer */
  send(text: OutgoingText): boolean;
  /** Sends these last texts, even past the limit on unread data, and closes. */
  close(code: number, reason: string, last: string[]): void;
}
