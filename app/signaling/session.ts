/** A peer's conversation over a connection that stays open: what comes in order, what goes out in order, and its end. */
import { decode, type Incoming } from '../protocol/decode.ts';
import { fateOf, type Refusal, refuse } from '../protocol/errors.ts';
import type { Join, LeaveReason, PeerId, RoomName, ServerMessage } from '../protocol/messages.ts';
import type { Entry } from '../rooms/log.ts';
import * as room from '../rooms/room.ts';
import {
  byeMessage,
  closeCode,
  depart,
  type Entered,
  enter,
  numberOf,
  type Signaling,
  speak,
  told,
} from './conversation.ts';
import { encode, encodeMessage } from './encode.ts';
import type { Receiver } from './fanout.ts';
import { TokenBucket } from './rate.ts';

/** A way to carry text to the peer. */
export interface Wire {
  send(text: string): void;
  close(code: number, reason: string): void;
  /** Bytes that were sent and have not left yet. */
  unsent(): number;
}

/**
 * `joining`: messages that come before the room answered wait in `early`, events that come before `joined` was sent in
 * `held`. `joined`: `seq` is the last event sent, `renewIceAt` when the peer gets other ICE servers. `closed`: nothing is
 * said any more.
 */
type State =
  | { at: 'greeting'; deadline: number }
  | { at: 'joining'; peer?: PeerId; early: string[]; held: Entry[] }
  | { at: 'joined'; peer: PeerId; seq: number; renewIceAt: number }
  | { at: 'closed' };

export class Session implements Receiver {
  #state: State;
  #ackDue = 0;
  #was: PeerId | undefined;
  readonly #bucket: TokenBucket;
  readonly #signaling: Signaling;
  readonly #room: RoomName;
  readonly #wire: Wire;

  constructor(signaling: Signaling, name: RoomName, wire: Wire) {
    const now = signaling.clock();
    this.#signaling = signaling;
    this.#room = name;
    this.#wire = wire;
    this.#bucket = new TokenBucket(signaling.limits, now);
    this.#state = { at: 'greeting', deadline: now + signaling.limits.joinTimeout };
  }

  get peer(): PeerId | undefined {
    return 'peer' in this.#state ? this.#state.peer : undefined;
  }

  /** The peer that had joined here, also when the conversation has ended. */
  get was(): PeerId | undefined {
    return this.#was;
  }

  /** One message from the peer. */
  receive(text: string): void {
    if (this.#state.at === 'closed') return;
    if (this.#state.at === 'joining') {
      // The peer has not been answered yet, so it cannot have much to say.
      if (this.#state.early.push(text) > this.#signaling.limits.burst) this.end(refuse('rate-limited'), 'error');
      return;
    }
    const message = decode(text);
    const owed = this.#bucket.take(this.#signaling.clock());
    if (owed > this.#signaling.limits.burst) return this.end(refuse('rate-limited'));
    if ('refused' in message) return this.#misunderstood(message);
    if (owed > 0) return this.#refuse(refuse('rate-limited'), numberOf(message));
    this.#dispatch(message);
  }

  deliver(entry: Entry, text: string): void {
    if (this.#state.at === 'joining') this.#state.held.push(entry);
    if (this.#state.at !== 'joined' || entry.seq <= this.#state.seq) return;
    if (this.#wire.unsent() > this.#signaling.limits.unsentBytes) return this.end(refuse('slow-consumer'));
    this.#state.seq = entry.seq;
    this.#wire.send(text);
  }

  replaced(): void {
    this.#finish(refuse('replaced'));
  }

  /** The connection broke: the peer is away until it comes back. */
  lost(): void {
    const peer = this.#close();
    if (peer) this.#lose(peer);
  }

  /** Ends the conversation with a `bye`. With a reason the peer has left; without, it is away and may come back. */
  end(refusal: Refusal, reason?: Exclude<LeaveReason, 'timeout'>): void {
    const peer = this.peer;
    this.#finish(refusal);
    if (!peer) return;
    if (reason) depart(this.#signaling, this.#room, peer, reason).catch(this.#failed);
    else this.#lose(peer);
  }

  /** Lets time pass. */
  tick(now: number): void {
    if (this.#state.at === 'greeting' && this.#state.deadline <= now) this.end(refuse('join-timeout'));
    if (this.#state.at === 'joined' && this.#state.renewIceAt <= now) this.#renewIce(this.#state, now);
  }

  /** Sends the acknowledgement that is due, one for all that was settled since the last. */
  flushAck(): void {
    if (this.#ackDue === 0 || this.#state.at !== 'joined') return;
    this.#wire.send(`{"type":"ack","n":${this.#ackDue}}`);
    this.#ackDue = 0;
  }

  #dispatch(message: Incoming): void {
    if (this.#state.at === 'joined') return this.#speak(this.#state.peer, message);
    if (message.type === 'join') return this.#join(message);
    if (message.type === 'ping') return this.#wire.send('{"type":"pong"}');
    this.#refuse(refuse('not-joined', `"${message.type}" came before "join"`), numberOf(message));
  }

  #speak(peer: PeerId, message: Incoming): void {
    if (message.type === 'leave') return this.end(refuse('left'), 'left');
    speak(this.#signaling, this.#room, peer, message).then(this.#answer, this.#failed);
  }

  readonly #answer = (reply: ServerMessage | undefined): void => {
    if (this.#state.at !== 'joined' || reply === undefined) return;
    if (reply.type === 'ack') this.#acknowledge(reply.n);
    else this.#wire.send(encodeMessage(reply));
  };

  #acknowledge(n: number): void {
    if (this.#ackDue === 0) acknowledgements.add(this, this.#signaling.limits.ackDelay);
    this.#ackDue = n;
  }

  #join(message: Join): void {
    const state: State & { at: 'joining' } = { at: 'joining', early: [], held: [] };
    this.#state = state;
    const { fanout } = this.#signaling;
    const attach = (peer: PeerId) => {
      if (this.#state !== state) return;
      state.peer = peer;
      fanout.attach(this.#room, peer, this);
    };
    const entered = (outcome: Entered | Refusal): void => {
      if ('refused' in outcome) {
        if (this.#state === state) this.end(outcome, 'error');
      } else if (this.#state === state) this.#welcome(outcome, state.held, state.early);
      // The connection broke while the room answered: the peer is in the room, and its connection is lost.
      else if (this.#state.at === 'closed') this.#lose(outcome.joined.self.id);
    };
    enter(this.#signaling, this.#room, message, Number.POSITIVE_INFINITY, attach).then(entered).catch(this.#failed);
  }

  #renewIce(state: State & { at: 'joined' }, now: number): void {
    const { servers, renewAt } = this.#signaling.ice(this.#room, state.peer, now);
    state.renewIceAt = renewAt;
    this.#wire.send(encodeMessage({ type: 'ice', ice: servers }));
  }

  #welcome({ joined, renewIceAt, missed, accepted }: Entered, held: Entry[], early: string[]): void {
    const state: State & { at: 'joined' } = {
      at: 'joined',
      peer: joined.self.id,
      seq: joined.recovered ? 0 : joined.seq,
      renewIceAt,
    };
    this.#state = state;
    this.#was = state.peer;
    this.#wire.send(encodeMessage(joined));
    if (accepted > 0) this.#acknowledge(accepted);
    for (const entry of missed) this.deliver(entry, encode(entry));
    for (const entry of held) this.deliver(entry, encode(entry));
    for (const text of early) this.receive(text);
  }

  #lose(peer: PeerId): void {
    this.#signaling.store.commit(this.#room, (place, now) => room.lose(place, peer, now)).catch(this.#failed);
  }

  #misunderstood(refusal: Refusal): void {
    if (fateOf(refusal.refused).close === undefined) this.#refuse(refusal);
    else this.end(refusal, 'error');
  }

  #refuse(refusal: Refusal, n?: number): void {
    this.#wire.send(encodeMessage(told(this.#signaling.counts, refusal, n)));
  }

  #finish(refusal: Refusal): void {
    if (this.#state.at === 'closed') return;
    this.#signaling.counts.refused[refusal.refused] += 1;
    this.flushAck();
    this.#wire.send(encodeMessage(byeMessage(refusal)));
    this.#wire.close(closeCode(refusal), refusal.refused);
    this.#close();
  }

  /** Says nothing more and hears nothing more; returns the peer it was, if it was one. */
  #close(): PeerId | undefined {
    const peer = this.#state.at === 'joined' ? this.#state.peer : undefined;
    if (this.peer) this.#signaling.fanout.detach(this.#room, this.peer, this);
    this.#state = { at: 'closed' };
    return peer;
  }

  /** A failure of the store is nobody's message: it is logged, and the connection ends with an invitation to return. */
  readonly #failed = (error: unknown): void => {
    this.#signaling.log.warn({ err: error, room: this.#room }, 'a command could not be carried out');
    this.end(refuse('internal'));
  };
}

/** Sessions whose acknowledgement waits for company, gathered so that a guarantee does not cost a frame per message. */
const acknowledgements = {
  due: new Set<Session>(),
  add(session: Session, delay: number): void {
    this.due.add(session);
    if (this.due.size === 1) setTimeout(() => this.flush(), delay);
  },
  flush(): void {
    const due = [...this.due];
    this.due.clear();
    for (const session of due) session.flushAck();
  },
};
