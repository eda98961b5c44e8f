/** A peer's conversation over a connection that stays open: what comes in order, what goes out in order, and its end. */
import type { SeatBudget } from '../budgets/seat-budgets.ts';
import { decode, decodeTooLong, type Incoming, numberAtStart } from '../protocol/decode.ts';
import { fateOf, isCausedByClient, type Refusal, refuse } from '../protocol/errors.ts';
import type { Join, Joined, PeerId, RoomName, ServerMessage, Waiting } from '../protocol/messages.ts';
import type { RoomLogEntry } from '../rooms/event-log.ts';
import { stay } from '../rooms/join.ts';
import { lose } from '../rooms/leave.ts';
import { admits, endedBy } from '../rooms/room.ts';
import type { Caller } from './authorize.ts';
import { encode, encodeMessage } from './encode.ts';
import type { Displaced, Receiver } from './fanout.ts';
import {
  addressBuckets,
  byeMessage,
  chargeAddress,
  chargeBytes,
  closeCode,
  countedError,
  handleMessage,
  leaveRoom,
  leaveRoomForNow,
  type MessageBudgets,
  numberOf,
  type Signaling,
  takesTime,
} from './handle-message.ts';
import { type JoinResult, joinAdmitted, joinRoom } from './join.ts';

/** A way to carry text to the peer. */
export interface MessageWriter {
  /** @returns whether it was sent: it is not where too much of what was sent before still waits for the peer to read it */
  send(text: string): boolean;
  /** Sends these last texts, whatever waits, and closes. */
  close(code: number, reason: string, last: string[]): void;
}

/** Messages that came before the one under way was answered, and their bytes together. */
type Early = { texts: string[]; bytes: number };

/**
 * `greeting`: nothing is said until `quiet`, ms since 1970, if the peer asked for that; 0 when it is over.
 * `joining`: messages that come before the room answered wait in `early`, events that come before `joined` was sent in
 * `held`. `waiting`: at the door. `joined`: `seq` is the last event sent, `renewIceAt` when the peer gets other ICE servers;
 * while a message takes time, those after it wait in `early`. `closed`: nothing is said any more.
 */
type State =
  | { at: 'greeting'; deadline: number; quiet?: number }
  | { at: 'joining'; peer?: PeerId; early: Early; held: RoomLogEntry[] }
  | { at: 'waiting'; peer: PeerId; session: string }
  | { at: 'joined'; peer: PeerId; seq: number; renewIceAt: number; early?: Early }
  | { at: 'closed' };

export class Session implements Receiver {
  #state: State;
  #ackDue = 0;
  #was: PeerId | undefined;
  /** Opened by the first message after the session has a seat: most peers are silent. */
  #opened: MessageBudgets | undefined;
  /** Messages before there is a seat that pays for them. */
  #before = 0;
  #isNew = false;
  readonly #signaling: Signaling;
  readonly #room: RoomName;
  readonly #wire: MessageWriter;
  readonly #caller: Caller;

  constructor(signaling: Signaling, name: RoomName, wire: MessageWriter, caller: Caller) {
    const now = signaling.clock();
    this.#signaling = signaling;
    this.#room = name;
    this.#wire = wire;
    this.#caller = caller;
    this.#state = { at: 'greeting', deadline: now + signaling.limits.joinTimeout };
  }

  get peer(): PeerId | undefined {
    return 'peer' in this.#state ? this.#state.peer : undefined;
  }

  /** The peer that had joined here, also when the conversation has ended. */
  get was(): PeerId | undefined {
    return this.#was;
  }

  /** Nothing may be sent, no ping either. */
  isQuiet(now: number): boolean {
    return this.#state.at === 'greeting' && now < (this.#state.quiet ?? 0);
  }

  /** One message from the peer; `bytes` is its length. A message that fails ends its own connection, and no loop over others. */
  receive(text: string, bytes = Buffer.byteLength(text)): void {
    try {
      if (this.#state.at === 'closed') return;
      if ('early' in this.#state && this.#state.early) return this.#defer(this.#state.early, text, bytes);
      this.#take(text, bytes);
    } catch (error) {
      this.#failed(error);
    }
  }

  /** A ping frame came, which counts as a message. @returns whether it is to be answered */
  pinged(bytes: number): boolean {
    const now = this.#signaling.clock();
    const sent = this.#charge(this.#payers(now), bytes, now);
    if (sent === 'far-over') this.end(refuse('rate-limited'));
    return sent === 'within';
  }

  /** Counts a message against the budget of the seat, or before there is one, against a few. */
  #charge(payers: MessageBudgets | undefined, bytes: number, now: number): ReturnType<SeatBudget['take']> {
    if (payers) return chargeBytes(payers, bytes, now);
    this.#before += 1;
    return this.#before > messagesBeforeJoin ? 'far-over' : 'within';
  }

  /** Absent before there is a seat. */
  #payers(now: number): MessageBudgets | undefined {
    return this.#opened ?? this.#openPayers(this.peer, now);
  }

  #openPayers(peer: PeerId | undefined, now: number): MessageBudgets | undefined {
    if (peer === undefined) return undefined;
    const seat = this.#signaling.seats.open(this.#room, peer, now, this.#isNew);
    this.#opened = { seat, address: addressBuckets(this.#signaling, this.#caller) };
    return this.#opened;
  }

  deliver(entry: RoomLogEntry, text: string): void {
    if (this.#state.at === 'joining') this.#state.held.push(entry);
    if (this.#state.at === 'waiting') return this.#hearAtTheDoor(this.#state, entry, text);
    if (this.#state.at !== 'joined' || entry.seq <= this.#state.seq) return;
    const over = endedBy(entry.event, this.#state.peer, false);
    if (over) return this.end(refuse(over));
    this.#state.seq = entry.seq;
    // In the same write, where it costs nothing.
    this.flushAck();
    this.#send(text);
  }

  reached(seq: number): void {
    if (this.#state.at !== 'joined' || seq <= this.#state.seq) return;
    this.#state.seq = seq;
    this.#send(`{"type":"reached","seq":${seq}}`);
  }

  displaced(why: Displaced): void {
    this.#finish(refuse(why));
  }

  takenForLost(): void {
    const { peer } = this;
    if (peer === undefined) return;
    const { store } = this.#signaling;
    const held = { until: Number.POSITIVE_INFINITY, worker: store.worker };
    store.commit(this.#room, (place, now) => stay(place, peer, held, now), 'insist').catch(this.#failed);
  }

  /** The connection broke: the peer is away until it comes back. */
  lost(): void {
    const peer = this.#close();
    if (peer) this.#lose(peer);
  }

  /** Ends the conversation with a `bye`. With a reason the peer has left; without, it is away and may come back. */
  end(refusal: Refusal, reason?: 'left' | 'error'): void {
    const peer = this.peer;
    this.#finish(refusal);
    if (!peer) return;
    if (reason) leaveRoom(this.#signaling, this.#room, peer, reason).catch(this.#failed);
    else this.#lose(peer);
  }

  /** Lets time pass. */
  tick(now: number): void {
    if (this.#state.at === 'greeting' && this.#state.quiet && this.#state.quiet <= now) {
      this.#state.quiet = 0;
      this.#send(pong);
    }
    if (this.#state.at === 'greeting' && this.#state.deadline <= now) this.end(refuse('join-timeout'));
    if (this.#state.at === 'joined' && this.#state.renewIceAt <= now) this.#renewIce(this.#state, now);
  }

  /** Sends the acknowledgement that is due, one for all that was settled since the last. */
  flushAck(): void {
    if (this.#ackDue === 0 || this.#state.at !== 'joined') return;
    const due = this.#ackDue;
    this.#ackDue = 0;
    this.#send(ackOf(due));
  }

  /** The peer has not been answered yet, so it cannot have much to say. */
  #defer(early: Early, text: string, bytes: number): void {
    const { burst, byteBurst } = this.#signaling.limits;
    early.bytes += bytes;
    if (early.texts.push(text) > burst || early.bytes > byteBurst) this.end(refuse('rate-limited'), 'error');
  }

  #take(text: string, bytes: number): void {
    // Asked once for each message: it costs as much as all that is counted by it.
    const now = this.#signaling.clock();
    const payers = this.#payers(now);
    const sent = this.#charge(payers, bytes, now);
    if (sent === 'far-over') return this.end(refuse('rate-limited'));
    if (sent === 'over') return this.#refuse(refuse('rate-limited'), numberAtStart(text));
    const { messageBytes } = this.#signaling.limits;
    const message = bytes > messageBytes ? decodeTooLong(text, bytes, messageBytes) : decode(text);
    if ('refused' in message) return this.#misunderstood(message);
    const over = payers && chargeAddress(this.#signaling, this.#room, payers.address, message, now);
    if (over) return this.#refuse(over, numberOf(message));
    this.#dispatch(message);
  }

  /** Everything that is said goes through here, but for the last. */
  #send(text: string): void {
    if (!this.#wire.send(text)) this.end(refuse('slow-consumer'));
  }

  #dispatch(message: Incoming): void {
    if (this.#state.at === 'joined') return this.#speak(this.#state, message);
    if (message.type === 'ping') return this.#pong(message.quiet);
    if (this.#state.at === 'waiting') return this.#speakAtTheDoor(message);
    if (message.type === 'join') return this.#join(message);
    if (message.type === 'malformed') return this.#refuse(message.refusal, message.n);
    this.#refuse(refuse('not-joined', `"${message.type}" came before "join"`), numberOf(message));
  }

  #pong(quiet = 0): void {
    const wait = Math.min(quiet, this.#signaling.limits.maxQuiet);
    if (this.#state.at !== 'greeting' || this.#state.quiet !== undefined || wait === 0) return this.#send(pong);
    this.#state.quiet = this.#signaling.clock() + wait;
    // Once, so that nobody can stay for ever without joining.
    this.#state.deadline += wait;
  }

  #speak(state: State & { at: 'joined' }, message: Incoming): void {
    if (message.type === 'leave') return this.#leave(state.peer, message.mayReturn);
    const reply = handleMessage(this.#signaling, this.#room, state.peer, message, this.#caller);
    if (!(reply instanceof Promise)) return this.#answer(reply);
    const answered = reply.then(this.#answer, this.#failed);
    if (takesTime(message)) this.#holdUntil(answered, state);
  }

  /** What comes meanwhile is not to overtake. */
  #holdUntil(answered: Promise<void>, state: State & { at: 'joined' }): void {
    const early: Early = { texts: [], bytes: 0 };
    state.early = early;
    void answered.then(() => {
      delete state.early;
      for (const text of early.texts) this.receive(text);
    });
  }

  #speakAtTheDoor(message: Incoming): void {
    if (message.type === 'leave') return this.end(refuse('left'), 'left');
    this.#refuse(refuse(message.type === 'join' ? 'already-joined' : 'waiting'), numberOf(message));
  }

  #hearAtTheDoor(state: State & { at: 'waiting' }, { seq, event }: RoomLogEntry, text: string): void {
    const over = endedBy(event, state.peer, true);
    if (over) this.end(refuse(over));
    else if (event.type === 'waiting-updated') this.#send(text);
    else if (admits(event, state.peer))
      this.#enter((attach) => {
        attach(state.peer);
        return joinAdmitted(this.#signaling, this.#room, state.session, Number.POSITIVE_INFINITY, seq);
      });
  }

  #leave(peer: PeerId, mayReturn = false): void {
    if (!mayReturn) return this.end(refuse('left'), 'left');
    this.#finish(refuse('left'));
    leaveRoomForNow(this.#signaling, this.#room, peer).catch(this.#failed);
  }

  readonly #answer = (reply: ServerMessage): void => {
    if (this.#state.at !== 'joined') return;
    if (reply.type === 'ack') this.#acknowledge(reply.n);
    else this.#send(encodeMessage(reply));
  };

  #acknowledge(n: number): void {
    if (this.#ackDue === 0) acknowledgements.add(this, this.#signaling.limits.ackDelay);
    this.#ackDue = n;
  }

  #join(message: Join): void {
    this.#enter((attach) =>
      joinRoom(this.#signaling, this.#room, message, Number.POSITIVE_INFINITY, attach, this.#caller),
    );
  }

  #enter(arrive: (attach: (peer: PeerId) => void) => Promise<JoinResult | Refusal>): void {
    const state: State & { at: 'joining' } = { at: 'joining', early: { texts: [], bytes: 0 }, held: [] };
    this.#state = state;
    const { fanout } = this.#signaling;
    const attach = (peer: PeerId) => {
      if (this.#state !== state) return;
      state.peer = peer;
      fanout.attach(this.#room, peer, this);
    };
    const entered = (outcome: JoinResult | Refusal): void => {
      if ('refused' in outcome) {
        if (this.#state === state) this.end(outcome, 'error');
      } else if (this.#state === state) this.#welcome(outcome, state);
      // The connection broke while the room answered: the peer is in the room, and its connection is lost.
      else if (this.#state.at === 'closed') this.#lose(outcome.first.self.id);
    };
    arrive(attach).then(entered).catch(this.#failed);
  }

  #renewIce(state: State & { at: 'joined' }, now: number): void {
    const { servers, renewAt } = this.#signaling.ice(state.peer, this.#caller.address, now);
    state.renewIceAt = renewAt;
    this.#send(encodeMessage({ type: 'ice', ice: servers }));
  }

  #welcome(
    { first, renewIceAt, missed, accepted, isNew }: JoinResult,
    { held, early }: State & { at: 'joining' },
  ): void {
    this.#state = this.#arrived(first, renewIceAt);
    this.#was = first.self.id;
    this.#isNew ||= isNew;
    this.#send(encodeMessage(first));
    if (accepted > 0) this.#acknowledge(accepted);
    for (const entry of missed) this.deliver(entry, encode(entry));
    for (const entry of held) this.deliver(entry, encode(entry));
    for (const text of early.texts) this.receive(text);
  }

  #arrived(first: Joined | Waiting, renewIceAt: number): State {
    const { id: peer } = first.self;
    if (first.type === 'waiting') return { at: 'waiting', peer, session: first.session };
    return { at: 'joined', peer, seq: first.recovered ? 0 : first.seq, renewIceAt };
  }

  #lose(peer: PeerId): void {
    const { store, limits } = this.#signaling;
    store
      .commit(this.#room, (place, now) => lose(place, peer, now, limits.rules, store.worker), 'insist')
      .catch(this.#failed);
  }

  #misunderstood(refusal: Refusal): void {
    if (fateOf(refusal.refused).close === undefined) this.#refuse(refusal);
    else this.end(refusal, 'error');
  }

  #refuse(refusal: Refusal, n?: number): void {
    this.#signaling.refusedTo(this.#caller.address);
    this.#send(encodeMessage(countedError(this.#signaling.counts, refusal, n)));
  }

  #finish(refusal: Refusal): void {
    if (this.#state.at === 'closed') return;
    this.#signaling.counts.refused[refusal.refused] += 1;
    if (isCausedByClient(refusal)) this.#signaling.refusedTo(this.#caller.address);
    const last = [encodeMessage(byeMessage(refusal))];
    if (this.#ackDue > 0 && this.#state.at === 'joined') last.unshift(ackOf(this.#ackDue));
    this.#wire.close(closeCode(refusal), refusal.refused, last);
    this.#close();
  }

  /** Says nothing more and hears nothing more; returns the peer it was, if it was one. */
  #close(): PeerId | undefined {
    const peer = this.#state.at === 'joined' || this.#state.at === 'waiting' ? this.#state.peer : undefined;
    if (this.peer) this.#signaling.fanout.detach(this.#room, this.peer, this);
    if (this.#opened && this.peer) this.#signaling.seats.release(this.#room, this.peer);
    this.#opened = undefined;
    this.#state = { at: 'closed' };
    return peer;
  }

  /** A failure of the store is nobody's message: it is logged, and the connection ends with an invitation to return. */
  readonly #failed = (error: unknown): void => {
    this.#signaling.log.warn({ err: error, room: this.#room }, 'a command could not be carried out');
    this.end(refuse('internal'));
  };
}

const pong = '{"type":"pong"}';
/** Pings, and one join: who has not joined has nothing else to say. */
const messagesBeforeJoin = 20;
const ackOf = (n: number): string => `{"type":"ack","n":${n}}`;

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
