/** What a case of the spec is given: a server, a way to it, and peers that are gone when the case is over. */
import { randomBytes } from 'node:crypto';
import { type ErrorCode, errors } from '../protocol/errors.ts';
import { TurnedAway } from './inbox.ts';
import type { Fields, TestPeer } from './peers.ts';
import type { Refused, Transport } from './transports.ts';

/** The server. `base`: its URL, without a slash at the end; `grace`: ms, as it told; tokens: what peers, and the first of a room, show. */
export type Target = { base: string; grace: number; token?: string | undefined; hostToken?: string | undefined };

/** Thrown by a case that this server gives no occasion for. */
export class NotTested extends Error {}

/** ms within which a peer that stopped asking for events has to count as away: `poll-grace` is 10 s by default. */
export const awayWithin = 30_000;

type Kind<P> = new (base: string, room: string, always: Fields) => P;

export class Context {
  readonly house: Target;
  readonly transport: Transport;
  readonly #peers: TestPeer[] = [];
  readonly #rooms = new Set<string>();

  constructor(house: Target, transport: Transport) {
    this.house = house;
    this.transport = transport;
  }

  /** A name nobody guesses, below the prefix that tokens may be made for. @param called the end of it, up to 34 characters */
  newRoom(called = ''): string {
    return `conform-${randomBytes(16).toString('base64url')}${called}`;
  }

  peerIn(room: string, by = this.transport): TestPeer {
    return this.#keep(by.peer(this.house.base, room, this.#pass(room)));
  }

  /** One of a certain transport. */
  add<P extends TestPeer>(Peer: Kind<P>, room: string): P {
    return this.#keep(new Peer(this.house.base, room, this.#pass(room)));
  }

  async enter(room: string, fields?: Fields): Promise<TestPeer> {
    const peer = this.peerIn(room);
    await peer.join(fields);
    return peer;
  }

  /** Two peers of one room, the second the newcomer, and their epoch. */
  async pair(room = this.newRoom()) {
    const first = await this.enter(room);
    const second = this.peerIn(room);
    const joined = await second.join();
    const epoch = joined.peers[0]?.epoch ?? 0;
    await first.inbox.take('peer-joined');
    return { room, first, second, epoch };
  }

  /** A join as text. */
  joinText(fields: Fields = {}): string {
    return JSON.stringify({ type: 'join', ...tokenField(this.house.token), ...fields });
  }

  /** How the last of these texts is refused. */
  refusal(room: string, texts = [this.joinText()]): Promise<Refused> {
    return this.transport.refusal(this.house.base, room, texts);
  }

  /** What the table says of a code, on this transport. */
  fate(code: ErrorCode): Refused {
    const row: { status: number; close?: number } = errors[code];
    return { code, fate: this.transport.name === 'WebSocket' ? (row.close ?? 0) : row.status };
  }

  /** For cases in which the room decides who hosts. */
  needsRolesOfTheRoom(): void {
    if (this.house.hostToken !== undefined) throw new NotTested('tokens say here who is host');
  }

  dispose(): void {
    for (const peer of this.#peers) peer.dispose();
  }

  /** Lets go of every seat, so that nothing stays until grace is over. */
  async leave(): Promise<void> {
    this.dispose();
    await Promise.allSettled(this.#peers.map((peer) => peer.goodbye()));
  }

  #keep<P extends TestPeer>(peer: P): P {
    this.#peers.push(peer);
    return peer;
  }

  /** The first of a room is its host, which a token may have to say. */
  #pass(room: string): Fields {
    const { token, hostToken = token } = this.house;
    const isFirst = !this.#rooms.has(room);
    this.#rooms.add(room);
    return tokenField(isFirst ? hostToken : token);
  }
}

const tokenField = (token: string | undefined): Fields => (token === undefined ? {} : { token });

export const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** Codes that tell of the server's settings, not of what it promises. */
const limits: ErrorCode[] = ['room-full', 'lobby-full', 'rate-limited', 'too-many-rooms', 'draining'];
/** Whether someone was not let in for want of room. */
export const isLimit = (error: unknown): error is TurnedAway =>
  error instanceof TurnedAway && limits.includes(error.code);
