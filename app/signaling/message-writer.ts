/** What a session needs of its transport. */

import type { OutgoingMessage } from './encode.ts';

/** Sends messages to the peer. */
export interface MessageWriter {
  /** Whether the peer gets signals in binary frames. */
  readonly binarySignals?: boolean;
  /** @returns false if it was not sent, because too much unread data is buffered for the peer */
  send(message: OutgoingMessage): boolean;
  /** Sends these last texts, even past the limit on unread data, and closes. */
  close(code: number, reason: string, last: string[]): void;
}
