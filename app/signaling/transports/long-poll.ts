/** A request for events that waits (long-poll), as a peer's receiver. */
import { type Refusal, refuse } from '../../protocol/errors.ts';
import type { PeerId, RoomName } from '../../protocol/messages.ts';
import type { RoomLogEntry } from '../../rooms/event-log.ts';
import { concerns, concernsAtTheDoor } from '../../rooms/room.ts';
import type { Displaced, Receiver } from '../fanout.ts';
import type { Signaling } from '../handle-message.ts';

export class LongPoll implements Receiver {
  /**
   * The peer's events, and between them the last of those for others: the number to ask after next has to move on, or a peer that is
   * told nothing for long would fall off the end of the log.
   */
  readonly #heard: RoomLogEntry[] = [];
  /** ms since 1970 */
  readonly deadline: number;
  /** Settles when something came for the peer, or nothing will. */
  readonly over: Promise<void>;
  /** Why it was ended before its time. */
  ended: Refusal | undefined;
  readonly #wake: () => void;
  readonly #matters: (entry: RoomLogEntry) => boolean;
  readonly #unsubscribe: () => void;
  readonly #detach: () => void;

  /** Hears the room from now on, for `wait` ms at most; whoever heard it for this peer before is replaced. */
  constructor(
    { store, fanout, clock }: Pick<Signaling, 'store' | 'fanout' | 'clock'>,
    room: RoomName,
    { id, waits }: { id: PeerId; waits: boolean },
    wait: number,
  ) {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.over = promise;
    this.#wake = resolve;
    this.#matters = ({ event }) => (waits ? concernsAtTheDoor(event, id) : concerns(event, id));
    this.deadline = clock() + wait;
    this.#unsubscribe = store.subscribe(room, (entry) => this.#hear(entry));
    this.#detach = () => fanout.detach(room, id, this);
    fanout.attach(room, id, this);
    if (wait === 0) this.#wake();
  }

  deliver(entry: RoomLogEntry): void {
    if (this.#matters(entry)) this.#wake();
  }

  /** What others say to each other is not kept while this waits. */
  #hear(entry: RoomLogEntry): void {
    const last = this.#heard.at(-1);
    if (last && !this.#matters(last) && !this.#matters(entry)) this.#heard.pop();
    this.#heard.push(entry);
  }

  /** What was missed, waiting for more if there is nothing in it for the peer; then all that came. */
  async gather(missed: RoomLogEntry[]): Promise<RoomLogEntry[]> {
    if (!missed.some(this.#matters)) await this.over;
    const last = missed.at(-1)?.seq ?? 0;
    return [...missed, ...this.#heard.filter(({ seq }) => seq > last)];
  }

  /** Its answer says so, even if there is nothing else in it; and says all that comes in this turn. */
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
