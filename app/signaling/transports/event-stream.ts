/** An event stream (`text/event-stream`) as a peer's receiver: what it missed, what happens, heartbeats, and its end. */
import type { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { type ErrorCode, type Refusal, refuse } from '../../protocol/errors.ts';
import { onOneLine } from '../../protocol/event-stream.ts';
import type { PeerId, RoomName } from '../../protocol/messages.ts';
import type { RoomLogEntry } from '../../rooms/event-log.ts';
import { lose } from '../../rooms/leave.ts';
import { admits, concerns, endedBy } from '../../rooms/room.ts';
import { encode, encodeMessage } from '../encode.ts';
import type { Displaced, Receiver } from '../fanout.ts';
import { byeMessage, type Signaling } from '../handle-message.ts';
import { type JoinResult, joinAdmitted } from '../join.ts';

/** ms after which a browser's EventSource comes back; told at the beginning, so that the first bytes go out at once. */
const retry = 1000;
/** ms for the peer to read the end of its stream before the connection is cut. */
const closeTimeout = 2000;

/**
 * A stream that is over, for the log. Bytes are those on the connection, framing included; `us` is how long it was open (µs).
 * `end`: the code of the `bye`; `silent`: nothing was heard of the peer for long; `lost`: the connection broke.
 */
export type Streamed = {
  reqId: string;
  ip: string;
  room: RoomName;
  peer: PeerId;
  us: number;
  messagesOut: number;
  bytesOut: number;
  end: StreamEnd;
};
type StreamEnd = ErrorCode | 'silent' | 'lost';

/**
 * `starting`: what happens before the missed events are known waits in `held`, and so does what happens while one who was let
 * in is not told yet. `spoke`: when something was written last.
 */
type State =
  | { at: 'starting'; held: RoomLogEntry[] }
  | { at: 'open'; response: ServerResponse; seq: number; spoke: number; held?: RoomLogEntry[] }
  | { at: 'ending'; response: ServerResponse; since: number }
  | { at: 'over' };

export class EventStream implements Receiver {
  #state: State = { at: 'starting', held: [] };
  #end: StreamEnd = 'lost';
  /** The number of the room's last event, whoever it was for: what the peer asks after next has to move on with it. */
  #reached = 0;
  #messages = 0;
  readonly #signaling: Signaling;
  readonly #room: RoomName;
  readonly #peer: PeerId;
  readonly #session: string;
  readonly #unsubscribe: () => void;
  #waits: boolean;

  /** Hears the room from now on; whoever heard it for this peer before is replaced. `waits`: to be let in. */
  constructor(
    signaling: Signaling,
    room: RoomName,
    { id: peer, session, waits }: { id: PeerId; session: string; waits: boolean },
  ) {
    this.#signaling = signaling;
    this.#room = room;
    this.#peer = peer;
    this.#session = session;
    this.#waits = waits;
    this.#unsubscribe = signaling.store.subscribe(room, ({ seq }) => {
      this.#reached = seq;
    });
    signaling.fanout.attach(room, peer, this);
  }

  /** It was not opened yet, and no newer connection has taken its place. */
  get starting(): boolean {
    return this.#state.at === 'starting';
  }

  get isOpen(): boolean {
    return this.#state.at === 'open';
  }

  /** Begins to write: what was missed after number `after`, then what came meanwhile. @param closed told at the end */
  open(response: ServerResponse, after: number, missed: RoomLogEntry[], closed: (traffic: Traffic) => void): void {
    if (this.#state.at !== 'starting') return;
    const { held } = this.#state;
    this.#state = { at: 'open', response, seq: after, spoke: 0 };
    const measure = meter(response.socket);
    const over = () => {
      this.#lost();
      closed({ ...measure(), messagesOut: this.#messages, end: this.#end });
    };
    // A client that has gone already is not told of again.
    if (response.destroyed) return over();
    response.once('close', over);
    // Writing to a connection that breaks; its 'close' follows.
    response.on('error', () => {});
    this.#reached = Math.max(this.#reached, missed.at(-1)?.seq ?? after);
    this.#write(`retry: ${retry}\n\n`);
    const own = missed.filter(({ event }) => concerns(event, this.#peer));
    for (const entry of [...own, ...held]) this.deliver(entry, encode(entry));
  }

  deliver(entry: RoomLogEntry, text: string): void {
    if ('held' in this.#state) this.#state.held?.push(entry);
    if (this.#state.at !== 'open' || this.#state.held || entry.seq <= this.#state.seq) return;
    const over = endedBy(entry.event, this.#peer, this.#waits);
    if (over) return this.end(refuse(over));
    if (admits(entry.event, this.#peer)) return this.#admit(this.#state, entry.seq);
    if (this.#waits && entry.event.type !== 'waiting-updated') return;
    this.#state.seq = entry.seq;
    this.#tell(text, entry.seq);
  }

  /** Sends a message (JSON text) that is no event of the room: it has no number, and is not told again. */
  tell(message: string): void {
    this.#tell(message);
  }

  reached(seq: number): void {
    if (this.#state.at === 'open' && !this.#state.held) this.#write(`: \nid: ${seq}\n\n`);
  }

  displaced(why: Displaced): void {
    this.#finish(why, refuse(why));
  }

  /** Ends the stream with a `bye`; its peer is away and may come back. */
  end(refusal: Refusal): void {
    if (this.#state.at !== 'open') return;
    this.#finish(refusal.refused, refusal);
    this.#lose();
  }

  /** Gives up before anything was written. */
  abandon(): void {
    this.#detach();
    this.#state = { at: 'over' };
  }

  /** Lets time pass. @param heard when the peer last made a request */
  tick(now: number, heard: number): void {
    const { heartbeat } = this.#signaling.limits;
    if (this.#state.at === 'ending' && now - this.#state.since >= closeTimeout) this.#state.response.destroy();
    if (this.#state.at !== 'open') return;
    // The peer may have vanished without a word; if it has not, it asks again.
    if (now - heard >= silence(this.#signaling)) this.#finish('silent');
    else if (now - this.#state.spoke >= heartbeat) this.reached(this.#reached);
  }

  /** It was let in: it is told of the room, and then what happened meanwhile. */
  #admit(state: State & { at: 'open' }, admission: number): void {
    const held: RoomLogEntry[] = [];
    state.held = held;
    this.#waits = false;
    const told = (entered: JoinResult | Refusal): void => {
      delete state.held;
      if ('refused' in entered) return this.end(entered);
      state.seq = entered.first.seq;
      this.#tell(encodeMessage(entered.first), state.seq);
      for (const entry of held) this.deliver(entry, encode(entry));
    };
    const until = this.#signaling.clock() + silence(this.#signaling);
    joinAdmitted(this.#signaling, this.#room, this.#session, until, admission).then(told, this.#failed);
  }

  readonly #failed = (error: unknown): void => {
    this.#signaling.log.warn({ err: error, room: this.#room }, 'a command could not be carried out');
    this.end(refuse('internal'));
  };

  #tell(message: string, seq?: number): void {
    this.#write(block(message, seq));
    this.#messages += 1;
  }

  /** Everything that is written goes through here, but for the last. */
  #write(text: string): void {
    if (this.#state.at !== 'open' || this.#state.response.destroyed) return;
    const { response } = this.#state;
    if (response.writableLength > this.#signaling.limits.unsentBytes) return this.end(refuse('slow-consumer'));
    response.write(text);
    this.#state.spoke = this.#signaling.clock();
  }

  /** Stops listening, says `bye` if there is a reason, and closes; of the room's it changes nothing. */
  #finish(end: StreamEnd, refusal?: Refusal): void {
    this.#detach();
    if (refusal && this.#state.at === 'open') {
      this.#signaling.counts.refused[refusal.refused] += 1;
      this.#state.response.write(block(encodeMessage(byeMessage(refusal))));
      this.#messages += 1;
    }
    if (this.#state.at === 'starting') this.#state = { at: 'over' };
    if (this.#state.at !== 'open') return;
    const { response } = this.#state;
    this.#end = end;
    this.#state = { at: 'ending', response, since: this.#signaling.clock() };
    response.end();
  }

  /** The connection is gone; if that was not the stream's own end, the peer is away at once. */
  #lost(): void {
    const open = this.#state.at === 'open';
    this.#detach();
    this.#state = { at: 'over' };
    if (open) this.#lose();
  }

  #detach(): void {
    this.#unsubscribe();
    this.#signaling.fanout.detach(this.#room, this.#peer, this);
  }

  #lose(): void {
    const { store, log, limits } = this.#signaling;
    store
      .commit(this.#room, (place, now) => lose(place, this.#peer, now, limits.rules, store.worker), 'insist')
      .catch((error: unknown) => log.warn({ err: error, room: this.#room }, 'a lost stream could not be noted'));
  }
}

/** A message (JSON text) as a block of the stream; `seq` is the number of its event. */
const block = (message: string, seq?: number): string =>
  `${seq === undefined ? '' : `id: ${seq}\n`}data: ${onOneLine(message)}\n\n`;

/** ms that an event stream stays open without a request of its peer. */
export const silence = ({ limits }: Pick<Signaling, 'limits'>): number => 2 * limits.pingInterval;

export type Traffic = Pick<Streamed, 'us' | 'messagesOut' | 'bytesOut' | 'end'>;

/** The socket counts its bytes anyway; the response lets go of it before its end. */
const meter = (socket: Socket | null) => {
  const [began, before] = [performance.now(), socket?.bytesWritten ?? 0];
  return () => ({
    us: Math.round((performance.now() - began) * 1000),
    bytesOut: (socket?.bytesWritten ?? before) - before,
  });
};
