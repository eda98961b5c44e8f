/** The signaling connection: one session in a room, over one or more successive WebSockets or other transports. */
import type { ErrorCode } from '../protocol/errors.ts';
import type { Join, Joined, MediaState, PeerId, ServerMessage, Waiting } from '../protocol/messages.ts';
import { Backoff } from './backoff.ts';
import { Alarm, browserClock, type Clock, Throttle } from './clock.ts';
import { Emitter, type Source } from './events.ts';
import { assertFits, type Settled, type Unnumbered } from './outbox.ts';
import { SendQueue } from './send-queue.ts';
import { type ErrorMessage, type Malformed, parse } from './shape.ts';
import { defaultTiming, type Timing } from './timeouts.ts';
import { codeOfClose, isFinal, type OpenSocket, type Socket, type Transport } from './transport.ts';
import { openSockets, TransportFallback } from './transport-fallback.ts';

/**
 * `connecting`: not joined yet. `waiting`: in the lobby until a host admits; `host`: whether one is present. `reconnecting`: the
 * session may still exist. `attempt`: the number of attempts since.
 */
export type ConnectionState =
  | { state: 'connecting'; attempt: number; because?: ErrorCode }
  | { state: 'waiting'; host: boolean }
  | { state: 'joined' }
  | { state: 'reconnecting'; attempt: number; because?: ErrorCode }
  | { state: 'closed'; code: ErrorCode };

/** An event of the room; each is emitted once, in the order of `seq`. */
export type RoomEvent = Exclude<Extract<ServerMessage, { seq: number }>, Joined | Waiting | Reached>;
type Reached = Extract<ServerMessage, { type: 'reached' }>;

/** Minimum milliseconds between two `ice` events: links may restart ICE with each. */
const iceInterval = 10_000;

export type ConnectionEvents = {
  state: ConnectionState;
  /** The room was joined (`recovered: false`: discard all state) or the session resumed (`recovered: true`). */
  joined: Joined;
  event: RoomEvent;
  /** Replaces the ICE servers of `joined`, whose credentials are about to expire. */
  ice: Joined['ice'];
  /** A message was refused permanently; the connection continues. */
  refused: { code: ErrorCode; message: string };
  /** The first message of a connection that was ignored as malformed. */
  warning: Error;
};

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

/**
 * `pausing`: between two attempts. `waiting`: in the lobby. `moving`: the session moves to a better socket; until that has
 * joined, the room still uses the old one, and the page sees the `previous` state.
 */
type Phase =
  | { state: 'pausing' }
  | { state: 'opening'; socket: Socket }
  | { state: 'waiting'; socket: Socket; host: boolean }
  | { state: 'joined'; socket: Socket }
  | { state: 'moving'; socket: Socket; old: Socket; previous: ConnectionState }
  | { state: 'closed'; code: ErrorCode };
/** `lastSeq`: of the last event; undefined if only the secret is known. */
type Session = { state: 'none' } | { state: 'known'; secret: string; lastSeq: number | undefined };
type HostMessage = 'admit' | 'deny' | 'lock' | 'passcode' | 'role' | 'kick' | 'mute-request' | 'end';
type Bye = Extract<ServerMessage, { type: 'bye' }>;

export class Connection implements Source<ConnectionEvents> {
  #join: ConnectionOptions['join'];
  #fallback: TransportFallback;
  #timing: Timing;
  #emitter = new Emitter<ConnectionEvents>();
  #sendQueue: SendQueue;
  #phase: Phase = { state: 'pausing' };
  #session: Session = { state: 'none' };
  #attempt = 0;
  /** Why the server asked us to reconnect, until we have joined. */
  #because: ErrorCode | undefined;
  /** Whether a malformed message was reported for this connection. */
  #warned = false;
  /** The latest ICE servers. */
  #ice: Joined['ice'] = [];
  #iceUpdates: Throttle;
  /** Deadline of the next attempt, the next ping or the current response; only one of them is ever pending. */
  #alarm: Alarm;
  #backoff: Backoff;

  constructor({ url, join, session, open, clock = browserClock, timing: overrides = {} }: ConnectionOptions) {
    const timing = { ...defaultTiming, ...overrides };
    const better = (socket: Socket) => this.#moveTo(socket);
    this.#join = join;
    if (session) this.#session = { state: 'known', secret: session, lastSeq: undefined };
    this.#fallback = new TransportFallback({ url, open: open ?? openSockets(clock, timing), clock, timing, better });
    this.#timing = timing;
    this.#alarm = new Alarm(clock);
    this.#sendQueue = new SendQueue(clock, timing);
    this.#iceUpdates = new Throttle(clock, iceInterval, () => this.#emitter.emit('ice', this.#ice));
    this.#backoff = new Backoff(clock, timing);
    this.#connect();
  }

  get state(): ConnectionState {
    const phase = this.#phase;
    if (phase.state === 'joined') return { state: 'joined' };
    if (phase.state === 'moving') return phase.previous;
    if (phase.state === 'closed') return phase;
    if (phase.state === 'waiting') return { state: 'waiting', host: phase.host };
    const wasJoined = this.#session.state === 'known' && this.#session.lastSeq !== undefined;
    const because = this.#because === undefined ? {} : { because: this.#because };
    return { state: wasJoined ? 'reconnecting' : 'connecting', attempt: this.#attempt, ...because };
  }

  /** The secret that resumes this session, also from another page. */
  get session(): string | undefined {
    return this.#session.state === 'known' ? this.#session.secret : undefined;
  }

  /** The current transport, or the one that is joining. */
  get transport(): Transport | undefined {
    return 'socket' in this.#phase ? (this.#phase.socket.transport ?? 'websocket') : undefined;
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

  /** Changes the name, media state or raised hand that peers see; a later `join` includes the change. */
  update(change: { name?: string; media?: MediaState; hand?: boolean; token?: string }): Promise<Settled> {
    assertFits({ type: 'update', ...change });
    const { hand: _, ...persistent } = change;
    this.#join = { ...this.#join, ...persistent };
    return this.#sendNumbered({ type: 'update', ...change });
  }

  /** Sends a host's message. */
  decide(message: Extract<Unnumbered, { type: HostMessage }>): Promise<Settled> {
    return this.#sendNumbered(message);
  }

  /** Reconnects immediately, or checks whether the connection is still alive. */
  checkConnection(): void {
    if (this.#phase.state === 'pausing') this.#connect();
    else if (this.#phase.state === 'joined' || this.#phase.state === 'waiting') {
      this.#ping(this.#phase.socket);
      this.#fallback.probe();
    }
  }

  /** Leaves the room; with `mayReturn` the session is kept for some seconds. */
  leave(mayReturn = false): void {
    const phase = this.#phase;
    const text = JSON.stringify(mayReturn ? { type: 'leave', mayReturn } : { type: 'leave' });
    if (phase.state === 'joined' || phase.state === 'waiting') phase.socket.send(text);
    if (phase.state === 'moving') phase.old.send(text);
    this.#end('left');
  }

  // ── the socket ────────────────────────────────────────────────────────────────────────────────────────────────────

  #connect(): void {
    this.#attempt += 1;
    const socket = this.#fallback.open();
    this.#phase = { state: 'opening', socket };
    socket.onopen = () => this.#isCurrent(socket) && this.#sendJoin(socket);
    this.#listen(socket);
    this.#alarm.arm(this.#fallback.patience, () => this.#onFailure());
    this.#emitState();
  }

  /** Joins again over a better socket while the old one stays open. */
  #moveTo(socket: Socket): void {
    if (this.#phase.state !== 'joined' && this.#phase.state !== 'waiting') return socket.close(1000);
    this.#sendQueue.stop();
    this.#phase.socket.retire?.();
    this.#phase = { state: 'moving', socket, old: this.#phase.socket, previous: this.state };
    this.#listen(socket);
    this.#sendJoin(socket);
    this.#alarm.arm(this.#timing.opening, () => this.#reconnectLater());
  }

  #listen(socket: Socket): void {
    socket.onmessage = ({ data }) => {
      if (this.#isCurrent(socket)) this.#receive(socket, data);
    };
    socket.onclose = ({ code }) => {
      if (this.#isCurrent(socket)) this.#closed(code);
    };
  }

  /** Events of an abandoned socket are ignored. */
  #isCurrent(socket: Socket): boolean {
    return 'socket' in this.#phase && this.#phase.socket === socket;
  }

  #sendJoin(socket: Socket): void {
    const session = this.#session;
    const resume = session.state === 'known' ? { session: session.secret, after: session.lastSeq } : {};
    socket.send(JSON.stringify({ type: 'join', ...this.#join, ...resume }));
  }

  #closed(code: number): void {
    if (code === 1009) this.#end('too-long');
    else if (code >= 4500 && code <= 4999) this.#end(codeOfClose(code));
    else if (code >= 4000 && code <= 4499) this.#reconnectLater(1000);
    else this.#onFailure();
  }

  /** The connection failed without a message of the server, so the network may block the transport. */
  #onFailure(): void {
    if (this.#phase.state !== 'moving') this.#fallback.failed();
    this.#reconnectLater();
  }

  /** Abandons this socket and reconnects, after at least `retry` milliseconds if the server requests that. */
  #reconnectLater(retry?: number): void {
    this.#setPhase({ state: 'pausing' });
    this.#alarm.arm(this.#backoff.next(retry), () => this.#connect());
    this.#emitState();
  }

  #end(code: ErrorCode): void {
    if (this.#phase.state === 'closed') return;
    this.#setPhase({ state: 'closed', code });
    this.#sendQueue.close(code);
    this.#emitState();
  }

  /** Changes the phase first, so that the sockets of the previous one are ignored while they close. */
  #setPhase(phase: Phase): void {
    const before = this.#phase;
    this.#phase = phase;
    this.#alarm.disarm();
    this.#sendQueue.stop();
    this.#iceUpdates.cancel();
    this.#fallback.stop();
    if ('socket' in before) before.socket.close(1000);
    if (before.state === 'moving') before.old.close(1000);
  }

  #schedulePing(socket: Socket): void {
    this.#alarm.arm(this.#timing.ping, () => this.#ping(socket));
  }

  #ping(socket: Socket): void {
    socket.send('{"type":"ping"}');
    this.#alarm.arm(this.#timing.answer, () => this.#onFailure());
  }

  #emitState(): void {
    this.#emitter.emit('state', this.state);
  }

  /** @throws RangeError */
  #sendNumbered(message: Unnumbered): Promise<Settled> {
    const phase = this.#phase;
    if (phase.state === 'closed') return Promise.resolve({ accepted: false, code: phase.code });
    return this.#sendQueue.add(message);
  }

  // ── what is received ──────────────────────────────────────────────────────────────────────────────────────────────

  #receive(socket: Socket, data: unknown): void {
    const message = parse(data);
    if (!message) return;
    if (message.type === 'malformed') return this.#onMalformed(message);
    if (this.#phase.state === 'joined' || this.#phase.state === 'waiting') this.#schedulePing(socket);
    switch (message.type) {
      case 'joined':
        return this.#onJoined(socket, message);
      case 'waiting':
        return this.#onWaiting(socket, message);
      case 'error':
        return this.#onError(socket, message);
      case 'bye':
        return this.#onBye(message);
      default:
        // Nothing else is valid before `joined` or `waiting`.
        if (this.#phase.state === 'joined' || this.#phase.state === 'waiting') this.#dispatch(message);
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
    if (this.#phase.state !== 'joined') {
      this.#because = 'bad-message';
      return this.#onFailure();
    }
    if (this.#warned) return;
    this.#warned = true;
    this.#emitter.emit('warning', new TypeError(`malformed message: ${of}`));
  }

  #onJoined(socket: Socket, joined: Joined): void {
    if (this.#phase.state === 'joined') return;
    const before = this.#session;
    // After a resume the missed events follow, with numbers up to `joined.seq`; a new session's `joined` already contains them.
    const resumed = joined.recovered && before.state === 'known';
    const lastSeq = resumed ? before.lastSeq && Math.min(before.lastSeq, joined.seq) : joined.seq;
    if (!joined.recovered && before.state === 'known') this.#sendQueue.renew();
    this.#attach(socket, { state: 'joined', socket }, { state: 'known', secret: joined.session, lastSeq });
    // Resend before emitting: messages that listeners send from these events have higher numbers.
    this.#sendQueue.start((text) => socket.send(text), before.state === 'known');
    // Emitted before `state`, so that links start connecting before the page renders.
    this.#emitter.emit('joined', joined);
    this.#emitState();
  }

  /** In the lobby until a host admits. */
  #onWaiting(socket: Socket, { host, session, seq }: Waiting): void {
    if (this.#phase.state === 'joined' || this.#phase.state === 'waiting') return;
    this.#attach(socket, { state: 'waiting', socket, host }, { state: 'known', secret: session, lastSeq: seq });
    this.#emitState();
  }

  #attach(socket: Socket, phase: Phase, session: Session): void {
    this.#session = session;
    if (this.#phase.state === 'moving') {
      this.#phase.old.close(1000);
      this.#fallback.upgraded();
    }
    this.#fallback.joined();
    this.#phase = phase;
    this.#attempt = 0;
    this.#because = undefined;
    this.#warned = false;
    this.#backoff.succeeded();
    this.#schedulePing(socket);
  }

  #onEvent(event: RoomEvent): void {
    // Events without a number belong to a later protocol.
    if (this.#session.state === 'none' || !(event.seq > (this.#session.lastSeq ?? 0))) return;
    this.#session.lastSeq = event.seq;
    if (event.type === 'waiting-updated' && this.#phase.state === 'waiting') {
      this.#phase.host = event.host;
      this.#emitState();
    }
    this.#emitter.emit('event', event);
  }

  #onError(socket: Socket, { code, message, n, retry }: ErrorMessage): void {
    if (n !== undefined && retry != null) return this.#sendQueue.pause(retry);
    if (this.#phase.state === 'opening' || this.#phase.state === 'moving')
      return this.#onJoinRefused(socket, code, retry);
    if (n !== undefined) this.#sendQueue.refused(n, code);
    this.#emitter.emit('refused', { code, message });
  }

  #onJoinRefused(socket: Socket, code: ErrorCode, retry?: number): void {
    if (retry != null) return this.#retryLater(code, retry);
    if (this.#session.state === 'none' || isFinal(code)) return this.#end(code);
    // The server refuses this session, but may accept a new one.
    this.#session = { state: 'none' };
    this.#sendQueue.renew();
    this.#sendJoin(socket);
  }

  #onBye({ code, retry }: Bye): void {
    const replacedByUs = code === 'replaced' && (this.#phase.state === 'moving' || this.#fallback.justUpgraded);
    if (replacedByUs || (code === 'origin-refused' && this.#fallback.originRefused())) this.#reconnectLater();
    else if (retry === null) this.#end(code);
    else this.#retryLater(code, retry);
  }

  #retryLater(code: ErrorCode, retry: number): void {
    this.#because = code;
    this.#reconnectLater(retry);
  }
}
