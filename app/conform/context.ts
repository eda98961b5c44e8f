/** The context of a test case: the server under test, a transport, and peers that are disposed of afterwards. */
import { randomBytes } from 'node:crypto';
import { type ErrorCode, errors } from '../protocol/errors.ts';
import { RefusedError } from './inbox.ts';
import type { Fields, TestPeer } from './peers.ts';
import type { Refused, Transport } from './transports.ts';

/** The server under test. `base`: URL without trailing slash; `grace`: ms, as reported; `token`: for peers; `hostToken`: for hosts. */
export type Target = { base: string; grace: number; token?: string | undefined; hostToken?: string | undefined };

/** Thrown by a case that cannot be tested on this server. */
export class NotTested extends Error {}

/** ms within which a peer that stopped polling must be away: `poll-grace` is 10 s by default. */
export const awayWithin = 30_000;

type Kind<P> = new (base: string, room: string, always: Fields) => P;

export class Context {
  readonly target: Target;
  readonly transport: Transport;
  readonly #peers: TestPeer[] = [];
  readonly #rooms = new Set<string>();

  constructor(target: Target, transport: Transport) {
    this.target = target;
    this.transport = transport;
  }

  /** An unguessable room name with the prefix that tokens may be limited to. @param suffix its end, up to 34 characters */
  newRoom(suffix = ''): string {
    return `conform-${randomBytes(16).toString('base64url')}${suffix}`;
  }

  peerIn(room: string, by = this.transport): TestPeer {
    return this.#track(by.peer(this.target.base, room, this.#tokenFor(room)));
  }

  /** A peer of a specific class. */
  add<P extends TestPeer>(Peer: Kind<P>, room: string): P {
    return this.#track(new Peer(this.target.base, room, this.#tokenFor(room)));
  }

  async join(room: string, fields?: Fields): Promise<TestPeer> {
    const peer = this.peerIn(room);
    await peer.join(fields);
    return peer;
  }

  /** Two peers in a room, the second one joining last, and their epoch. */
  async pair(room = this.newRoom()) {
    const first = await this.join(room);
    const second = this.peerIn(room);
    const joined = await second.join();
    const epoch = joined.peers[0]?.epoch ?? 0;
    await first.inbox.take('peer-joined');
    return { room, first, second, epoch };
  }

  /** A join message as text. */
  joinText(fields: Fields = {}): string {
    return JSON.stringify({ type: 'join', ...tokenField(this.target.token), ...fields });
  }

  /** Sends the texts. @returns how the last one is refused */
  refusal(room: string, texts = [this.joinText()]): Promise<Refused> {
    return this.transport.refusal(this.target.base, room, texts);
  }

  /** The refusal that the error table specifies for a code, on this transport. */
  fate(code: ErrorCode): Refused {
    const row: { status: number; close?: number } = errors[code];
    return { code, fate: this.transport.name === 'WebSocket' ? (row.close ?? 0) : row.status };
  }

  /** Skips the case if tokens decide who is host instead of the room. */
  needsRolesOfTheRoom(): void {
    if (this.target.hostToken !== undefined) throw new NotTested('tokens decide who is host');
  }

  dispose(): void {
    for (const peer of this.#peers) peer.dispose();
  }

  /** Frees every seat, so that none stays until grace is over. */
  async leave(): Promise<void> {
    this.dispose();
    await Promise.allSettled(this.#peers.map((peer) => peer.goodbye()));
  }

  #track<P extends TestPeer>(peer: P): P {
    this.#peers.push(peer);
    return peer;
  }

  /** The token for a join. The first peer of a room is its host and may need the host token. */
  #tokenFor(room: string): Fields {
    const { token, hostToken = token } = this.target;
    const isFirst = !this.#rooms.has(room);
    this.#rooms.add(room);
    return tokenField(isFirst ? hostToken : token);
  }
}

const tokenField = (token: string | undefined): Fields => (token === undefined ? {} : { token });

export const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** Codes that result from the server's settings, not from its guarantees. */
const limits: string[] = [
  'room-full',
  'lobby-full',
  'rate-limited',
  'too-many-rooms',
  'draining',
] satisfies ErrorCode[];
/** Whether a join was refused because of a limit. */
export const isLimit = (error: unknown): error is RefusedError =>
  error instanceof RefusedError && limits.includes(error.code);
