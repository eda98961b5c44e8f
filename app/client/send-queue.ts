/**
 * Sends the numbered messages: within the server's default budget for a session, in order, and again after a lost connection or a
 * temporary refusal. A page that sent everything at once after a resume would be refused as `rate-limited`.
 */
import type { ErrorCode } from '../protocol/errors.ts';
import type { PeerId } from '../protocol/messages.ts';
import { Backoff } from './backoff.ts';
import { Alarm, type Clock } from './clock.ts';
import { assertFits, Outbox, type Settled, type Unnumbered } from './outbox.ts';
import type { Timing } from './timeouts.ts';
import { type RateLimit, TokenBucket } from './token-bucket.ts';

/** Three quarters of `message-burst`, and four fifths of `message-rate`; joins and pings need the rest. */
const messageLimit: RateLimit = [300, 12.5];
/** Characters of a message that cost one token: less than the `byte-rate` for each message of the `message-rate`. */
const tokenLength = 10_000;
/** Tokens after a resume: a server with several workers gives a session one second's worth of its budget. */
const resumeBurst = 80;
/** Initial delay before a temporarily refused message is sent again, in milliseconds. */
const firstResendDelay = 50;

export class SendQueue {
  #outbox = new Outbox();
  #bucket: TokenBucket;
  /** For messages that the server refuses temporarily. */
  #backoff: Backoff;
  /** While armed, nothing is sent: the budget is used up, or the server has requested a pause. */
  #alarm: Alarm;
  #paused = false;
  /** Undefined while not joined. */
  #send: ((text: string) => void) | undefined;

  constructor(clock: Clock, timing: Timing) {
    this.#bucket = new TokenBucket(messageLimit, () => clock.now);
    this.#backoff = new Backoff(clock, timing, firstResendDelay);
    this.#alarm = new Alarm(clock);
  }

  /** @throws RangeError if every server refuses the message */
  add(message: Unnumbered): Promise<Settled> {
    assertFits(message);
    return new Promise((settle) => {
      this.#outbox.add(message, settle);
      this.#sendNext();
    });
  }

  /** The room was joined: sends what is not settled. `isResumed`: the session existed before. */
  start(send: (text: string) => void, isResumed: boolean): void {
    if (isResumed) this.#bucket.lower(resumeBurst);
    this.#send = send;
    this.#outbox.rewind();
    this.#sendNext();
  }

  /** The connection is lost. */
  stop(): void {
    this.#send = undefined;
    this.#paused = false;
    this.#alarm.disarm();
  }

  /** A message was refused temporarily. Those after it would be out of order, so all unsettled messages are sent again later. */
  pause(retry: number): void {
    if (this.#paused) return;
    this.#paused = true;
    this.#alarm.arm(this.#backoff.next(retry), () => {
      this.#paused = false;
      this.#backoff.succeeded();
      this.#outbox.rewind();
      this.#sendNext();
    });
  }

  acknowledged(n: number): void {
    this.#outbox.acknowledged(n);
  }

  /** The message with this number was refused permanently. */
  refused(n: number, code: ErrorCode): void {
    this.#outbox.refused(n, code);
  }

  /** This peer has left. */
  peerLeft(peer: PeerId): void {
    this.#outbox.dropSignals(peer);
  }

  /** A new session starts. */
  renew(): void {
    this.#outbox.renew();
  }

  /** Settles everything as refused: nothing will be sent any more. */
  close(code: ErrorCode): void {
    this.#outbox.close(code);
  }

  #sendNext(): void {
    while (this.#send && !this.#alarm.armed) {
      const message = this.#outbox.next();
      if (!message) return;
      const text = JSON.stringify(message);
      const cost = Math.min(messageLimit[0], Math.max(1, text.length / tokenLength));
      if (this.#bucket.take(cost)) {
        this.#outbox.advance();
        this.#send(text);
      } else this.#alarm.arm(this.#bucket.wait(cost), () => this.#sendNext());
    }
  }
}
