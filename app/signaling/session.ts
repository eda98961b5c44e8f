/** A peer's session over a persistent connection: its state, replies and events, its end. */
import type { ByteRange } from '../protocol/byte-range.ts';
import type { Incoming } from '../protocol/decode.ts';
import { type Refusal, refuse } from '../protocol/errors.ts';
import type { Join, PeerId, RoomName, ServerMessage } from '../protocol/messages.ts';
import { lasting, type RoomLogEntry } from '../rooms/event-log.ts';
import { admits, endedBy } from '../rooms/room.ts';
import { acknowledgements } from './acknowledgements.ts';
import type { Caller } from './authorize.ts';
import type { Signaling } from './context.ts';
import { encodeMessage, type OutgoingMessage, outgoing } from './encode.ts';
import type { Displaced, Receiver } from './fanout.ts';
import {
  byeMessage,
  closeCode,
  countedError,
  countFault,
  handleMessage,
  keepConnection,
  leaveRoom,
  leaveRoomForNow,
  loseConnection,
  numberOf,
  takesTime,
} from './handle-message.ts';
import { IncomingMessages, type MessageHandler } from './incoming-messages.ts';
import { joinAdmitted, joinRoom } from './join.ts';
import type { JoinResult } from './join-result.ts';
import type { MessageWriter } from './message-writer.ts';
import { type SessionState, type StateOf, stateAfterJoin } from './session-state.ts';

export class Session implements MessageHandler, Receiver {
  #state: SessionState;
  #ackDue = 0;
  #lastPeer: PeerId | undefined;
  readonly #signaling: Signaling;
  readonly #room: RoomName;
  readonly #writer: MessageWriter;
  readonly #caller: Caller;
  readonly #incoming: IncomingMessages;

  constructor(signaling: Signaling, name: RoomName, writer: MessageWriter, caller: Caller) {
    const now = signaling.clock();
    this.#signaling = signaling;
    this.#room = name;
    this.#writer = writer;
    this.#caller = caller;
    this.#incoming = new IncomingMessages(signaling, name, caller, this);
    this.#state = { state: 'greeting', deadline: now + signaling.limits.joinTimeout };
  }

  get peer(): PeerId | undefined {
    return 'peer' in this.#state ? this.#state.peer : undefined;
  }

  get queuedBytes(): number {
    return this.#incoming.queuedBytes;
  }

  /** The peer that joined over this connection, also after its end. */
  get lastPeer(): PeerId | undefined {
    return this.#lastPeer;
  }

  /** Whether nothing may be sent now, not even a ping. */
  isQuiet(now: number): boolean {
    return this.#state.state === 'greeting' && now < (this.#state.quiet ?? 0);
  }

  /** Handles one message; `bytes` is its length. Errors are caught: they end this connection, not a caller's loop over others. */
  receive(text: string | ByteRange, bytes = byteLengthOf(text)): void {
    try {
      if (this.#state.state !== 'closed') this.#incoming.receive(text, bytes);
    } catch (error) {
      this.#fail(error);
    }
  }

  /** Charges a frame that is not a message as much as one. @returns whether it is within the budgets */
  charge(bytes: number): boolean {
    return this.#state.state !== 'closed' && this.#incoming.charge(bytes);
  }

  handle(message: Incoming): void {
    if (this.#state.state === 'joined') return this.#handleJoined(this.#state, message);
    if (message.type === 'ping') return this.#pong(message.quiet);
    if (this.#state.state === 'waiting') return this.#handleInLobby(message);
    if (message.type === 'join') return void this.#join(message).catch(this.#fail);
    if (message.type === 'malformed') return this.refuse(message.refusal, message.n);
    this.refuse(refuse('not-joined', `"${message.type}" was sent before "join"`), numberOf(message));
  }

  refuse(refusal: Refusal, n?: number): void {
    countFault(this.#signaling, refusal.refused, this.#caller);
    this.#send(encodeMessage(countedError(this.#signaling.counts, refusal, n)));
  }

  deliver(entry: RoomLogEntry, text: OutgoingMessage = outgoing(entry, this.#writer.binarySignals)): void {
    if (this.#state.state === 'joining') this.#state.buffered.push(lasting(entry));
    if (this.#state.state === 'waiting') return this.#deliverInLobby(this.#state, entry, text);
    if (this.#state.state !== 'joined' || entry.seq <= this.#state.seq) return;
    const endCode = endedBy(entry.event, this.#state.peer, false);
    if (endCode) return this.end(refuse(endCode));
    this.#state.seq = entry.seq;
    // The acknowledgement goes out in the same write, which makes it free.
    this.flushAck();
    this.#send(text);
  }

  reached(seq: number): void {
    if (this.#state.state !== 'joined' || seq <= this.#state.seq) return;
    this.#state.seq = seq;
    this.#send(`{"type":"reached","seq":${seq}}`);
  }

  displaced(why: Displaced): void {
    this.#finish(refuse(why));
  }

  takenForLost(): void {
    if (this.peer !== undefined) keepConnection(this.#signaling, this.#room, this.peer).catch(this.#fail);
  }

  /** The connection was lost: the peer is away until it resumes. */
  lost(): void {
    const peer = this.#close();
    if (peer) this.#markAway(peer);
  }

  /** Closes with a `bye`. With `reason` the peer leaves the room; without, it is away and may resume. */
  end(refusal: Refusal, reason?: 'left' | 'error'): void {
    const peer = this.peer;
    this.#finish(refusal);
    if (!peer) return;
    if (reason) leaveRoom(this.#signaling, this.#room, peer, reason).catch(this.#fail);
    else this.#markAway(peer);
  }

  /** Called periodically: ends the quiet time, enforces the join timeout, renews ICE servers. */
  tick(now: number): void {
    if (this.#state.state === 'greeting' && this.#state.quiet && this.#state.quiet <= now) {
      this.#state.quiet = 0;
      this.#send(pong);
    }
    if (this.#state.state === 'greeting' && this.#state.deadline <= now) this.end(refuse('join-timeout'));
    if (this.#state.state === 'joined' && this.#state.renewIceAt <= now) this.#renewIce(this.#state, now);
  }

  /** Sends one acknowledgement for all messages settled since the last one. */
  flushAck(): void {
    if (this.#ackDue === 0 || this.#state.state !== 'joined') return;
    if (this.#signaling.store.flush?.() === false) return acknowledgements.retry(this);
    const due = this.#ackDue;
    this.#ackDue = 0;
    this.#send(ackOf(due));
  }

  /** Sends every message but the last ones, which `#finish` sends. */
  #send(text: OutgoingMessage): void {
    if (!this.#writer.send(text)) this.end(refuse('slow-consumer'));
  }

  #pong(quiet = 0): void {
    const wait = Math.min(quiet, this.#signaling.limits.maxQuiet);
    if (this.#state.state !== 'greeting' || this.#state.quiet !== undefined || wait === 0) return this.#send(pong);
    this.#state.quiet = this.#signaling.clock() + wait;
    // Only once, or a client could stay connected forever without joining.
    this.#state.deadline += wait;
  }

  #handleJoined(state: StateOf<'joined'>, message: Incoming): void {
    if (message.type === 'leave') return this.#leave(state.peer, message.mayReturn);
    const reply = handleMessage(this.#signaling, this.#room, state.peer, message, this.#caller);
    if (!(reply instanceof Promise)) return this.#sendReply(reply);
    const replied = reply.then(this.#sendReply).catch(this.#fail);
    if (!takesTime(message)) return;
    // Messages that arrive meanwhile are queued, to keep their order.
    this.#incoming.pause();
    const receiveQueued = (): void => {
      for (const text of this.#incoming.resume()) this.receive(text);
    };
    replied.then(receiveQueued).catch(this.#fail);
  }

  #handleInLobby(message: Incoming): void {
    if (message.type === 'leave') return this.end(refuse('left'), 'left');
    this.refuse(refuse(message.type === 'join' ? 'already-joined' : 'waiting'), numberOf(message));
  }

  #deliverInLobby(state: StateOf<'waiting'>, { seq, event }: RoomLogEntry, text: OutgoingMessage): void {
    const endCode = endedBy(event, state.peer, true);
    if (endCode) this.end(refuse(endCode));
    else if (event.type === 'waiting-updated') this.#send(text);
    else if (admits(event, state.peer)) this.#joinAdmitted(state, seq).catch(this.#fail);
  }

  #leave(peer: PeerId, mayReturn = false): void {
    if (!mayReturn) return this.end(refuse('left'), 'left');
    this.#finish(refuse('left'));
    leaveRoomForNow(this.#signaling, this.#room, peer).catch(this.#fail);
  }

  readonly #sendReply = (reply: ServerMessage): void => {
    if (this.#state.state !== 'joined') return;
    if (reply.type === 'ack') this.#acknowledge(reply.n);
    else this.#send(encodeMessage(reply));
  };

  #acknowledge(n: number): void {
    if (this.#ackDue === 0) acknowledgements.add(this, this.#signaling.limits.ackDelay);
    this.#ackDue = n;
  }

  async #join(message: Join): Promise<void> {
    const joining = this.#startJoining();
    const attach = (peer: PeerId): void => this.#attach(joining, peer);
    const request = { room: this.#room, message, caller: this.#caller, until: Number.POSITIVE_INFINITY, attach };
    this.#finishJoining(joining, await joinRoom(this.#signaling, request));
  }

  async #joinAdmitted({ peer, session }: StateOf<'waiting'>, admission: number): Promise<void> {
    const joining = this.#startJoining(peer);
    const until = Number.POSITIVE_INFINITY;
    this.#finishJoining(joining, await joinAdmitted(this.#signaling, this.#room, session, until, admission));
  }

  /** Buffers events and queues messages from now on. `peer`: the one that is attached already. */
  #startJoining(peer?: PeerId): StateOf<'joining'> {
    const joining: StateOf<'joining'> = { state: 'joining', ...(peer === undefined ? {} : { peer }), buffered: [] };
    this.#state = joining;
    this.#incoming.pause();
    return joining;
  }

  #attach(joining: StateOf<'joining'>, peer: PeerId): void {
    if (this.#state !== joining) return;
    const { fanout } = this.#signaling;
    // A join that finds its seat taken continues under another id.
    if (joining.peer !== undefined && joining.peer !== peer) fanout.detach(this.#room, joining.peer, this);
    joining.peer = peer;
    fanout.attach(this.#room, peer, this);
  }

  #finishJoining(joining: StateOf<'joining'>, result: JoinResult | Refusal): void {
    if ('refused' in result) {
      if (this.#state === joining) this.end(result, 'error');
    } else if (this.#state === joining) this.#completeJoin(result, joining.buffered);
    // The connection was lost during the join: the peer is in the room, but away.
    else if (this.#state.state === 'closed') this.#markAway(result.first.self.id);
  }

  /** Sends the first message, then the events missed and buffered; handles the queued messages. */
  #completeJoin({ first, renewIceAt, missed, accepted, isNew }: JoinResult, buffered: RoomLogEntry[]): void {
    const queued = this.#incoming.resume();
    this.#state = stateAfterJoin(first, renewIceAt);
    this.#lastPeer = first.self.id;
    this.#incoming.isNewSeat ||= isNew;
    this.#send(encodeMessage(first));
    if (accepted > 0) this.#acknowledge(accepted);
    for (const entry of [...missed, ...buffered]) this.deliver(entry);
    for (const text of queued) this.receive(text);
  }

  #renewIce(state: StateOf<'joined'>, now: number): void {
    const { servers, renewAt } = this.#signaling.ice(state.peer, this.#caller.address, now);
    state.renewIceAt = renewAt;
    this.#send(encodeMessage({ type: 'ice', ice: servers }));
  }

  #markAway(peer: PeerId): void {
    loseConnection(this.#signaling, this.#room, peer).catch(this.#fail);
  }

  #finish(refusal: Refusal): void {
    if (this.#state.state === 'closed') return;
    this.#signaling.counts.refused[refusal.refused] += 1;
    countFault(this.#signaling, refusal.refused, this.#caller);
    const last = [encodeMessage(byeMessage(refusal))];
    if (this.#ackDue > 0 && this.#state.state === 'joined' && this.#signaling.store.flush?.() !== false)
      last.unshift(ackOf(this.#ackDue));
    this.#writer.close(closeCode(refusal), refusal.refused, last);
    this.#close();
  }

  /** Stops sending and receiving. @returns the peer, if it had joined or was in the lobby */
  #close(): PeerId | undefined {
    const peer = this.#state.state === 'joined' || this.#state.state === 'waiting' ? this.#state.peer : undefined;
    if (this.peer) this.#signaling.fanout.detach(this.#room, this.peer, this);
    this.#incoming.releaseSeat(this.peer);
    // Frees what is queued: a join or a hash may take seconds more.
    this.#incoming.resume();
    this.#state = { state: 'closed' };
    return peer;
  }

  /** A failure of the store is not the client's fault: it is logged, and the close code lets the client reconnect. */
  readonly #fail = (error: unknown): void => {
    this.#signaling.log.warn({ err: error, room: this.#room }, 'a message could not be handled');
    this.end(refuse('internal'));
  };
}

const byteLengthOf = (text: string | ByteRange): number =>
  typeof text === 'string' ? Buffer.byteLength(text) : text.byteLength;

const pong = '{"type":"pong"}';
const ackOf = (n: number): string => `{"type":"ack","n":${n}}`;
