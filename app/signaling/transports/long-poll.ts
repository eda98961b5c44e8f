/** A long poll as a peer's receiver. */
import { type Refusal, refuse } from '../../protocol/errors.ts';
import type { PeerId, RoomName } from '../../protocol/messages.ts';
import { lasting, type RoomLogEntry } from '../../rooms/event-log.ts';
import { concerns, concernsAtTheDoor } from '../../rooms/room.ts';
import type { Signaling } from '../context.ts';
import type { Displaced, Receiver } from '../fanout.ts';

export class LongPoll implements Receiver {
  /**
   * The peer's events, and the last of each run of events for others: the peer's `after` has to advance, or after a long time
   * without events for it, the log would no longer have that number.
   */
  readonly #received: RoomLogEntry[] = [];
  /** In ms since 1970. */
  readonly deadline: number;
  /** Resolves when there is an event for the peer, or the poll ends. */
  readonly over: Promise<void>;
  /** Why it ended early. */
  ended: Refusal | undefined;
  readonly #wake: () => void;
  readonly #isRelevant: (entry: RoomLogEntry) => boolean;
  readonly #unsubscribe: () => void;
  readonly #detach: () => void;

  /** Subscribes to the room for at most `wait` ms and replaces the peer's previous receiver. */
  constructor(
    { store, fanout, clock }: Pick<Signaling, 'store' | 'fanout' | 'clock'>,
    room: RoomName,
    { id, waits }: { id: PeerId; waits: boolean },
    wait: number,
  ) {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.over = promise;
    this.#wake = resolve;
    this.#isRelevant = ({ event }) => (waits ? concernsAtTheDoor(event, id) : concerns(event, id));
    this.deadline = clock() + wait;
    this.#unsubscribe = store.subscribe(room, (entry) => this.#record(entry));
    this.#detach = () => fanout.detach(room, id, this);
    fanout.attach(room, id, this);
    if (wait === 0) this.#wake();
  }

  deliver(entry: RoomLogEntry): void {
    if (this.#isRelevant(entry)) this.#wake();
  }

  /** Keeps only the last of consecutive events for others. */
  #record(entry: RoomLogEntry): void {
    const last = this.#received.at(-1);
    if (last && !this.#isRelevant(last) && !this.#isRelevant(entry)) this.#received.pop();
    this.#received.push(lasting(entry));
  }

  /** Waits if nothing in `missed` is for the peer. @returns the missed and the received events */
  async gather(missed: RoomLogEntry[]): Promise<RoomLogEntry[]> {
    if (!missed.some(this.#isRelevant)) await this.over;
    const last = missed.at(-1)?.seq ?? 0;
    return [...missed, ...this.#received.filter(({ seq }) => seq > last)];
  }

  /** Ends the wait even without an event for the peer, but after this turn, so that the response has all of its events. */
  reached(): void {
    setImmediate(this.#wake);
  }

  displaced(why: Displaced): void {
    this.end(refuse(why));
  }

  end(reason: Refusal): void {
    this.ended = reason;
    this.finish();
  }

  finish(): void {
    this.#unsubscribe();
    this.#detach();
    this.#wake();
  }
}
