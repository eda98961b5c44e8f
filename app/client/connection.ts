/** The signaling connection: one session in a room, over one or more successive WebSockets or other transports. */
import type { ErrorCode } from '../protocol/errors.ts';
import type { Join, Joined, MediaState, PeerId, ServerMessage, Waiting } from '../protocol/messages.ts';
import { browserClock, type Clock, Throttle } from './clock.ts';
import { Emitter, type Source } from './events.ts';
import { assertFits, type Settled, type Unnumbered } from './outbox.ts';
import { ReconnectingSocket } from './reconnecting-socket.ts';
import { SendQueue } from './send-queue.ts';
import { type ErrorMessage, type Malformed, parse } from './shape.ts';
import type { ConnectionEvents, ConnectionState, RoomEvent } from './signaling.ts';
import { defaultTiming, type Timing } from './timeouts.ts';
import { isFinal, type OpenSocket, type Transport } from './transport.ts';
import { openSockets } from './transport-fallback.ts';

/** Minimum milliseconds between two `ice` events: links may restart ICE with each. */
const iceInterval = 10_000;

export type ConnectionOptions = {
  /** `ws:` or `wss:` URL of the room. */
  url: string;
  join: Omit<Join, 'type' | 'session' | 'after'>;
  /** The secret of an earlier connection whose session is to be resumed. */
  session?: string | undefined;
  open?: OpenSocket;
  clock?: Clock;
  timing?: Partial<Timing>;
};

/** Whether this side is in the room. It stays there while the session moves to a better socket. */
type Admission = { state: 'none' } | Extract<ConnectionState, { state: 'waiting' | 'joined' | 'closed' }>;
/** `lastSeq`: of the last event; undefined if only the secret is known. */
type Session = { state: 'none' } | { state: 'known'; secret: string; lastSeq: number | undefined };
type HostMessage = 'admit' | 'deny' | 'lock' | 'passcode' | 'role' | 'kick' | 'mute-request' | 'end';
type Bye = Extract<ServerMessage, { type: 'bye' }>;

export class Connection implements Source<ConnectionEvents> {
  #join: ConnectionOptions['join'];
  /** The updates that are not settled, in order. */
  #updates = new Set<Partial<ConnectionOptions['join']>>();
  #emitter = new Emitter<ConnectionEvents>();
  #socket: ReconnectingSocket;
  #sendQueue: SendQueue;
  #admission: Admission = { state: 'none' };
  #session: Session = { state: 'none' };
  /** Why the server asked us to reconnect, until we have joined. */
  #because: ErrorCode | undefined;
  /** Whether a malformed message was reported for this connection. */
  #warned = false;
  /** The latest ICE servers. */
  #ice: Joined['ice'] = [];
  #iceUpdates: Throttle;

  constructor({ url, join, session, open, clock = browserClock, timing: overrides = {} }: ConnectionOptions) {
    const timing = { ...defaultTiming, ...overrides };
    this.#join = join;
    if (session) this.#session = { state: 'known', secret: session, lastSeq: undefined };
    this.#sendQueue = new SendQueue(clock, timing);
    this.#iceUpdates = new Throttle(clock, iceInterval, () => this.#emitter.emit('ice', this.#ice));
    this.#socket = new ReconnectingSocket({
      ...{ url, open: open ?? openSockets(clock, timing), clock, timing },
      join: () => this.#joinMessage(),
      receive: (data) => this.#receive(data),
      reconnecting: () => this.#setAbsent({ state: 'none' }),
      ended: (code) => this.#end(code),
    });
    this.#socket.connect();
  }

  get state(): ConnectionState {
    if (this.#admission.state !== 'none') return this.#admission;
    const wasJoined = this.#session.state === 'known' && this.#session.lastSeq !== undefined;
    const because = this.#because === undefined ? {} : { because: this.#because };
    return { state: wasJoined ? 'reconnecting' : 'connecting', attempt: this.#socket.attempt, ...because };
  }

  /** The secret that resumes this session, also from another page. */
  get session(): string | undefined {
    return this.#session.state === 'known' ? this.#session.secret : undefined;
  }

  /** The current transport, or the one that is joining. */
  get transport(): Transport | undefined {
    return this.#socket.transport;
  }

  on<Name extends keyof ConnectionEvents>(name: Name, listener: (value: ConnectionEvents[Name]) => void): () => void {
    return this.#emitter.on(name, listener);
  }

  /** Sends `data` to peer `to` in the pair's `epoch`; kept and resent until it is settled. */
  signal(to: PeerId, epoch: number, data: NonNullable<unknown>): Promise<Settled> {
    return this.#sendNumbered({ type: 'signal', to, epoch, data });
  }

  /** Sends `text` to everyone else in the room, or to one peer. */
  chat(text: string, to?: PeerId): Promise<Settled> {
    return this.#sendNumbered(to === undefined ? { type: 'chat', text } : { type: 'chat', text, to });
  }

  /** Changes the name, media state or raised hand that peers see; a later `join` includes the change, unless it was refused. */
  update(change: { name?: string; media?: MediaState; hand?: boolean; token?: string }): Promise<Settled> {
    const settled = this.#sendNumbered({ type: 'update', ...change });
    const { hand: _, ...persistent } = change;
    this.#updates.add(persistent);
    void settled.then(({ accepted }) => {
      this.#updates.delete(persistent);
      if (accepted) this.#join = { ...this.#join, ...persistent };
    });
    return settled;
  }

  /** Sends a host's message. */
  decide(message: Extract<Unnumbered, { type: HostMessage }>): Promise<Settled> {
    return this.#sendNumbered(message);
  }

  /** Reconnects immediately, or checks whether the connection is still alive. */
  checkConnection(): void {
    this.#socket.check();
  }

  /** Leaves the room; with `mayReturn` the session is kept for some seconds. */
  leave(mayReturn = false): void {
    this.#end('left', JSON.stringify(mayReturn ? { type: 'leave', mayReturn } : { type: 'leave' }));
  }

  #joinMessage(): string {
    const session = this.#session;
    const resume = session.state === 'known' ? { session: session.secret, after: session.lastSeq } : {};
    return JSON.stringify(Object.assign({ type: 'join' }, this.#join, ...this.#updates, resume));
  }

  /** @throws RangeError */
  #sendNumbered(message: Unnumbered): Promise<Settled> {
    if (this.#admission.state === 'closed') {
      assertFits(message);
      return Promise.resolve({ accepted: false, code: this.#admission.code });
    }
    return this.#sendQueue.add(message);
  }

  /** Ends the connection, after a last message if there is one. */
  #end(code: ErrorCode, last?: string): void {
    if (this.#admission.state === 'closed') return;
    this.#socket.close(last);
    this.#sendQueue.close(code);
    this.#setAbsent({ state: 'closed', code });
  }

  /** Records that this side is no longer in the room, or not yet. */
  #setAbsent(admission: Admission): void {
    this.#admission = admission;
    this.#sendQueue.stop();
    this.#iceUpdates.cancel();
    this.#emitState();
  }

  #emitState(): void {
    this.#emitter.emit('state', this.state);
  }

  // ── what is received ──────────────────────────────────────────────────────────────────────────────────────────────

  #receive(data: unknown): void {
    const message = parse(data);
    if (!message) return;
    if (message.type === 'malformed') return this.#onMalformed(message);
    this.#socket.heard();
    switch (message.type) {
      case 'joined':
        return this.#onJoined(message);
      case 'waiting':
        return this.#onWaiting(message);
      case 'error':
        return this.#onError(message);
      case 'bye':
        return this.#onBye(message);
      default:
        // Nothing else is valid before `joined` or `waiting`.
        if (this.#socket.isOpen) this.#dispatch(message);
    }
  }

  #dispatch(message: Exclude<ServerMessage, Joined | Waiting | ErrorMessage | Bye>): void {
    switch (message.type) {
      case 'ack':
        return this.#sendQueue.acknowledged(message.n);
      case 'reached':
        if (this.#session.state === 'known') this.#session.lastSeq = Math.max(message.seq, this.#session.lastSeq ?? 0);
        return;
      case 'pong':
        return;
      case 'ice':
        this.#ice = message.ice;
        return this.#iceUpdates.request();
      default:
        return this.#onEvent(message);
    }
  }

  /** Unless joined, a malformed message fails the connection. */
  #onMalformed({ of }: Malformed): void {
    if (!this.#socket.isOpen || this.#admission.state !== 'joined') {
      this.#because = 'bad-message';
      return this.#socket.fail();
    }
    if (this.#warned) return;
    this.#warned = true;
    this.#emitter.emit('warning', new TypeError(`malformed message: ${of}`));
  }

  #onJoined(joined: Joined): void {
    if (this.#socket.isOpen && this.#admission.state === 'joined') return;
    const before = this.#session;
    // After a resume the missed events follow, with numbers up to `joined.seq`; a new session's `joined` already contains them.
    const resumed = joined.recovered && before.state === 'known';
    const lastSeq = resumed ? before.lastSeq && Math.min(before.lastSeq, joined.seq) : joined.seq;
    if (!joined.recovered && before.state === 'known') this.#sendQueue.renew();
    this.#attach({ state: 'joined' }, { state: 'known', secret: joined.session, lastSeq });
    // Resend before emitting: messages that listeners send from these events have higher numbers.
    this.#sendQueue.start((text) => this.#socket.send(text), before.state === 'known');
    // Emitted before `state`, so that links start connecting before the page renders.
    this.#emitter.emit('joined', joined);
    this.#emitState();
  }

  /** In the lobby until a host admits. */
  #onWaiting({ host, session, seq }: Waiting): void {
    if (this.#socket.isOpen) return;
    // It may have been in the room until it moved to this socket.
    this.#sendQueue.stop();
    this.#iceUpdates.cancel();
    this.#attach({ state: 'waiting', host }, { state: 'known', secret: session, lastSeq: seq });
    this.#emitState();
  }

  #attach(admission: Admission, session: Session): void {
    this.#session = session;
    this.#admission = admission;
    this.#socket.joined();
    this.#because = undefined;
    this.#warned = false;
  }

  #onEvent(event: RoomEvent): void {
    // Events without a number belong to a later protocol.
    if (this.#session.state === 'none' || !(event.seq > (this.#session.lastSeq ?? 0))) return;
    this.#session.lastSeq = event.seq;
    if (event.type === 'waiting-updated' && this.#admission.state === 'waiting') {
      this.#admission = { state: 'waiting', host: event.host };
      this.#emitState();
    }
    if (event.type === 'peer-left') this.#sendQueue.peerLeft(event.peer);
    this.#emitter.emit('event', event);
  }

  #onError({ code, message, n, retry }: ErrorMessage): void {
    if (n !== undefined && retry != null) {
      // Only a message that was sent in the room can be refused.
      if (this.#socket.isOpen && this.#admission.state === 'joined') this.#sendQueue.pause(retry);
      return;
    }
    if (!this.#socket.isOpen) return this.#onJoinRefused(code, retry);
    if (n !== undefined) this.#sendQueue.refused(n, code);
    this.#emitter.emit('refused', { code, message });
  }

  #onJoinRefused(code: ErrorCode, retry?: number): void {
    if (retry != null) return this.#retryLater(code, retry);
    if (this.#session.state === 'none' || isFinal(code)) return this.#end(code);
    // The server refuses this session, but may accept a new one.
    this.#session = { state: 'none' };
    this.#sendQueue.renew();
    this.#socket.sendJoin();
  }

  #onBye({ code, retry }: Bye): void {
    const replacedByUs = code === 'replaced' && this.#socket.isMoving;
    if (replacedByUs || (code === 'origin-refused' && this.#socket.originRefused())) this.#socket.reconnectLater();
    else if (retry === null) this.#end(code);
    else this.#retryLater(code, retry);
  }

  #retryLater(code: ErrorCode, retry: number): void {
    this.#because = code;
    this.#socket.reconnectLater(retry);
  }
}
