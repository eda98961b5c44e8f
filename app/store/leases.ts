/** Leases of workers: which are alive, and who takes over the rooms of a dead one. */
import type { RoomName } from '../protocol/messages.ts';

type Sender = { send(key: string, ...args: string[]): Promise<unknown> };

/** Sorted set of workers by their last heartbeat. */
const workersKey = 'genkan:workers';
const roomsKey = (worker: string): string => `genkan:rooms:${worker}`;

/**
 * A worker without a heartbeat for `lease` ms is dead. Its list of rooms is kept much longer, until another worker takes over:
 * seats are lost only if no worker is alive for as long as the rooms' keys exist.
 */
export class Leases {
  #lastBeat = Number.NEGATIVE_INFINITY;
  readonly #worker: string;
  readonly #lease: number;
  readonly #connection: Sender;
  readonly #rooms: () => RoomName[];

  /** @param rooms the rooms of this worker */
  constructor(worker: string, lease: number, connection: Sender, rooms: () => RoomName[]) {
    this.#worker = worker;
    this.#lease = lease;
    this.#connection = connection;
    this.#rooms = rooms;
  }

  /** Whether a heartbeat is due. */
  due(now: number): boolean {
    return now - this.#lastBeat >= this.#lease / 3;
  }

  /** Sends a heartbeat. @returns the dead workers */
  async beat(now: number): Promise<string[]> {
    const [added, gone] = await Promise.all([
      this.#connection.send(workersKey, 'ZADD', workersKey, String(now), this.#worker),
      this.#connection.send(workersKey, 'ZRANGEBYSCORE', workersKey, '-inf', String(now - this.#lease)),
      this.#connection.send(workersKey, 'PEXPIRE', workersKey, this.#retention),
      this.#connection.send(roomsKey(this.#worker), 'PEXPIRE', roomsKey(this.#worker), this.#retention),
    ]);
    this.#lastBeat = now;
    // This worker is new, or was declared dead and its rooms were taken over, or the store has lost its data.
    if (added === 1) await this.#addRooms(this.#rooms());
    return Array.isArray(gone) ? gone.map(String) : [];
  }

  /** Adds a room to the rooms of this worker. */
  keep(room: RoomName): void {
    this.#addRooms([room]).catch(() => {});
  }

  drop(room: RoomName): void {
    this.#connection.send(roomsKey(this.#worker), 'SREM', roomsKey(this.#worker), room).catch(() => {});
  }

  /** Takes over the rooms of a dead worker, each by `take`. Several workers may do so at once without harm. */
  async adopt(worker: string, take: (room: RoomName) => Promise<unknown>): Promise<void> {
    const members = await this.#connection.send(roomsKey(worker), 'SMEMBERS', roomsKey(worker));
    const rooms = members instanceof Set || Array.isArray(members) ? [...members].map(String) : [];
    await this.#addRooms(rooms);
    await Promise.all(rooms.map(take));
    await this.#connection.send(roomsKey(worker), 'DEL', roomsKey(worker));
    await this.#connection.send(workersKey, 'ZREM', workersKey, worker);
  }

  /** This worker stops: others may take over its rooms at once instead of after its lease. */
  async resign(): Promise<void> {
    await this.#connection.send(workersKey, 'ZADD', workersKey, 'XX', '0', this.#worker);
  }

  get #retention(): string {
    return String(40 * this.#lease);
  }

  async #addRooms(rooms: RoomName[]): Promise<void> {
    const key = roomsKey(this.#worker);
    const sent: Promise<unknown>[] = [];
    for (let at = 0; at < rooms.length; at += 500)
      sent.push(this.#connection.send(key, 'SADD', key, ...rooms.slice(at, at + 500)));
    await Promise.all([...sent, this.#connection.send(key, 'PEXPIRE', key, this.#retention)]);
  }
}
