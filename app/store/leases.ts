/** Which workers live, and who takes over the rooms of one that does not. */
import type { RoomName } from '../protocol/messages.ts';

type Sender = { send(key: string, ...args: string[]): Promise<unknown> };

/** Every worker and when it was heard of last. */
const workersKey = 'genkan:workers';
const roomsKey = (worker: string): string => `genkan:rooms:${worker}`;

/**
 * A worker that is not heard of for `lease` ms is gone. What it leaves is kept for much longer, until somebody takes over:
 * peers' places are lost only when no worker lives for as long as the rooms themselves.
 */
export class Leases {
  #beaten = Number.NEGATIVE_INFINITY;
  readonly #worker: string;
  readonly #lease: number;
  readonly #link: Sender;
  readonly #rooms: () => RoomName[];

  /** @param rooms those of this worker */
  constructor(worker: string, lease: number, link: Sender, rooms: () => RoomName[]) {
    this.#worker = worker;
    this.#lease = lease;
    this.#link = link;
    this.#rooms = rooms;
  }

  /** Whether it is time to say that this worker lives. */
  due(now: number): boolean {
    return now - this.#beaten >= this.#lease / 3;
  }

  /** Says it. @returns the workers that are gone */
  async beat(now: number): Promise<string[]> {
    const [added, gone] = await Promise.all([
      this.#link.send(workersKey, 'ZADD', workersKey, String(now), this.#worker),
      this.#link.send(workersKey, 'ZRANGEBYSCORE', workersKey, '-inf', String(now - this.#lease)),
      this.#link.send(workersKey, 'PEXPIRE', workersKey, this.#keep),
      this.#link.send(roomsKey(this.#worker), 'PEXPIRE', roomsKey(this.#worker), this.#keep),
    ]);
    this.#beaten = now;
    // It is new, or it was given up and others have its rooms, or the store has lost all.
    if (added === 1) await this.#enlist(this.#rooms());
    return Array.isArray(gone) ? gone.map(String) : [];
  }

  /** This worker looks after a room from now on. */
  keep(room: RoomName): void {
    this.#enlist([room]).catch(() => {});
  }

  drop(room: RoomName): void {
    this.#link.send(roomsKey(this.#worker), 'SREM', roomsKey(this.#worker), room).catch(() => {});
  }

  /** Takes over the rooms of a worker that is gone, each by `take`; whoever else does the same does no harm. */
  async adopt(worker: string, take: (room: RoomName) => Promise<unknown>): Promise<void> {
    const left = await this.#link.send(roomsKey(worker), 'SMEMBERS', roomsKey(worker));
    const rooms = left instanceof Set || Array.isArray(left) ? [...left].map(String) : [];
    await this.#enlist(rooms);
    await Promise.all(rooms.map(take));
    await this.#link.send(roomsKey(worker), 'DEL', roomsKey(worker));
    await this.#link.send(workersKey, 'ZREM', workersKey, worker);
  }

  /** This worker ends: its rooms are for the others at once, rather than after its lease. */
  async resign(): Promise<void> {
    await this.#link.send(workersKey, 'ZADD', workersKey, 'XX', '0', this.#worker);
  }

  get #keep(): string {
    return String(40 * this.#lease);
  }

  async #enlist(rooms: RoomName[]): Promise<void> {
    const own = roomsKey(this.#worker);
    const sent: Promise<unknown>[] = [];
    for (let at = 0; at < rooms.length; at += 500)
      sent.push(this.#link.send(own, 'SADD', own, ...rooms.slice(at, at + 500)));
    await Promise.all([...sent, this.#link.send(own, 'PEXPIRE', own, this.#keep)]);
  }
}
