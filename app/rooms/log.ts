/** A room's events, numbered and bounded: what a peer that comes back is told again. */
import type { RoomEvent } from './room.ts';

export type Entry = { seq: number; at: number; event: RoomEvent };
/** Events, bytes (of the texts people sent) and age (ms) that a room's log holds at most. */
export type LogLimits = { events: number; bytes: number; age: number };

export class Log {
  #entries: Entry[] = [];
  /** Entries before this index are dropped already; they leave the array when they are half of it. */
  #first = 0;
  #bytes = 0;
  #seq = 0;
  readonly #limits: LogLimits;

  constructor(limits: LogLimits) {
    this.#limits = limits;
  }

  /** The number of the last event, 0 before the first. */
  get seq(): number {
    return this.#seq;
  }

  append(event: RoomEvent, now: number): Entry {
    this.#seq += 1;
    const entry: Entry = { seq: this.#seq, at: now, event };
    this.#entries.push(entry);
    this.#bytes += sizeOf(event);
    this.#trim(now);
    return entry;
  }

  /** Everything after number `after`, oldest first; `gone` when some of it is no longer kept or never was. */
  since(after: number): Entry[] | 'gone' {
    if (after > this.#seq || after < this.#seq - (this.#entries.length - this.#first)) return 'gone';
    return this.#entries.slice(this.#entries.length - (this.#seq - after));
  }

  #trim(now: number): void {
    const { events, bytes, age } = this.#limits;
    for (let oldest = this.#entries[this.#first]; oldest; oldest = this.#entries[this.#first]) {
      const kept = this.#entries.length - this.#first;
      if (kept <= events && this.#bytes <= bytes && oldest.at > now - age) break;
      this.#bytes -= sizeOf(oldest.event);
      this.#first += 1;
    }
    if (this.#first > 64 && this.#first * 2 > this.#entries.length) {
      this.#entries.splice(0, this.#first);
      this.#first = 0;
    }
  }
}

const sizeOf = (event: RoomEvent): number =>
  event.type === 'signal' ? event.data.length : event.type === 'chat' ? event.text.length : 0;
