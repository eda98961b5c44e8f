/** The signaling connection: one conversation with a room, carried by as many WebSockets, or other transports, as it takes. */
import type { ErrorCode } from '../protocol/errors.ts';
import type { Join, Joined, MediaState, PeerId, ServerMessage, Waiting } from '../protocol/messages.ts';
import { Backoff } from './backoff.ts';
import { Alarm, browserClock, type Clock } from './clock.ts';
import { Emitter, type Source } from './events.ts';
import { assertFits, Outbox, type Settled, type Unnumbered } from './outbox.ts';
import { type Malformed, parse } from './shape.ts';
import { defaultTiming, type Timing } from './timeouts.ts';
import { codeOfClose, isFinal, type OpenSocket, openSockets, type Socket, type Transport } from './transport.ts';
import { TransportFallback } from './transport-fallback.ts';

/**
 * `connecting`: never joined so far. `waiting`: a host has to open; `host`: whether one is there. `reconnecting`: the room may
 * still know us. `attempt`: how many were made since.
 */
export type ConnectionState =
  | { is: 'connecting'; attempt: number; because?: ErrorCode }
  | { is: 'waiting'; host: boolean }
  | { is: 'joined' }
  | { is: 'reconnecting'; attempt: number; because?: ErrorCode }
  | { is: 'closed'; code: ErrorCode };

/** What happens in the room, in the order of `seq`, each once. */
export type RoomEvent = Exclude<Extract<ServerMessage, { seq: number }>, Joined | Waiting | Reached>;
type Reached = Extract<ServerMessage, { type: 'reached' }>;

/** Milliseconds until a message that was refused for now goes again the first time. */
const firstRepeat = 50;
/** Messages that wait to be settled: a server that settles none must not fill the memory. */
const mostUnsettled = 5_000;
/** Milliseconds between two sets of ICE servers that are told on: links may look for new paths with each. */
const iceRest = 10_000;
/** Peers that may come within so many milliseconds, because each costs a connection; a `joined` counts with those that get one. */
const mostNewcomers = 600;
const newcomersTime = 60_000;
const newcomersAtOnce = 64;

export type ConnectionEvents = {
  state: ConnectionState;
  /** The room was entered (`recovered: false`: begin anew) or the session went on (`recovered: true`). */
  joined: Joined;
  event: RoomEvent;
  /** ICE servers in place of those in `joined`, whose credentials are about to expire. */
  ice: Joined['ice'];
  /** Something that was sent is refused for good; the connection goes on. */
  refused: { code: ErrorCode; message: string };
  /** The first message of a connection that was ignored because it is malformed. */
  warning: Error;
};

export type ConnectionOptions = {
  /** `ws:` or `wss:` URL of the room. */
  url: string;
  join: Omit<Join, 'type' | 'session' | 'after'>;
  /** The secret of an earlier connection whose seat is to be taken again. */
  session?: string | undefined;
  open?: OpenSocket;
  clock?: Clock;
  timing?: Partial<Timing>;
};

/**
 * `pausing`: between two tries. `waiting`: at the door. `moving`: the conversation goes over to a better socket; until that
 * has joined, the room still knows the old one, and for the page it `was` what it still is.
 */
type Phase =
  | { is: 'pausing' }
  | { is: 'opening'; socket: Socket }
  | { is: 'waiting'; socket: Socket; host: boolean }
  | { is: 'joined'; socket: Socket }
  | { is: 'moving'; socket: Socket; old: Socket; was: ConnectionState }
  | { is: 'closed'; code: ErrorCode };
/** `seen`: the last event; undefined where nothing is known but the secret. */
type Session = { is: 'none' } | { is: 'known'; secret: string; seen: number | undefined };
type Decisions = 'admit' | 'deny' | 'lock' | 'passcode' | 'role' | 'kick' | 'mute-request' | 'end';
type Bye = Extract<ServerMessage, { type: 'bye' }>;
type Refusal = Extract<ServerMessage, { type: 'error' }>;

export class Connection implements Source<ConnectionEvents> {
  #join: ConnectionOptions['join'];
  #ladder: TransportFallback;
  #clock: Clock;
  #timing: Timing;
  #emitter = new Emitter<ConnectionEvents>();
  #outbox = new Outbox();
  #phase: Phase = { is: 'pausing' };
  #session: Session = { is: 'none' };
  #attempt = 0;
  /** Why the server sent us away to come back, until it takes us. */
  #because: ErrorCode | undefined;
  /** Of a malformed message, over this connection. */
  #warned = false;
  #newcomers = 0;
  #newcomersSince = 0;
  /** While armed ICE servers have been told on a moment ago; then the latest of those that came meanwhile are. */
  #calm: Alarm;
  #ice: Joined['ice'] | undefined;
  /** The next attempt, the next ping, or the end of patience: there is always at most one of them. */
  #alarm: Alarm;
  /** While armed the server has asked for a pause: nothing numbered goes out. */
  #pause: Alarm;
  #backoff: Backoff;
  /** Of messages that the server refuses for now. */
  #repeats: Backoff;

  constructor({ url, join, session, open, clock = browserClock, timing: given = {} }: ConnectionOptions) {
    const timing = { ...defaultTiming, ...given };
    const better = (socket: Socket) => this.#move(socket);
    this.#join = join;
    if (session) this.#session = { is: 'known', secret: session, seen: undefined };
    this.#ladder = new TransportFallback({ url, open: open ?? openSockets(clock, timing), clock, timing, better });
    this.#timing = timing;
    this.#alarm = new Alarm(clock);
    this.#clock = clock;
    this.#pause = new Alarm(clock);
    this.#calm = new Alarm(clock);
    this.#backoff = new Backoff(clock, timing);
    this.#repeats = new Backoff(clock, timing, firstRepeat);
    this.#connect();
  }

  get state(): ConnectionState {
    const phase = this.#phase;
    if (phase.is === 'joined') return { is: 'joined' };
    if (phase.is === 'moving') return phase.was;
    if (phase.is === 'closed') return phase;
    if (phase.is === 'waiting') return { is: 'waiting', host: phase.host };
    const wasHere = this.#session.is === 'known' && this.#session.seen !== undefined;
    const because = this.#because === undefined ? {} : { because: this.#because };
    return { is: wasHere ? 'reconnecting' : 'connecting', attempt: this.#attempt, ...because };
  }

  /** The secret that takes this seat again, also from another page. */
  get session(): string | undefined {
    return this.#session.is === 'known' ? this.#session.secret : undefined;
  }

  /** What carries the conversation now, or will once it has joined. */
  get transport(): Transport | undefined {
    return 'socket' in this.#phase ? (this.#phase.socket.transport ?? 'websocket') : undefined;
  }

  on<Name extends keyof ConnectionEvents>(name: Name, listener: (value: ConnectionEvents[Name]) => void): () => void {
    return this.#emitter.on(name, listener);
  }

  /** Sends `data` to peer `to` over the pair's `epoch`; kept and repeated until it is settled. */
  signal(to: PeerId, epoch: number, data: NonNullable<unknown>): Promise<Settled> {
    return this.#post({ type: 'signal', to, epoch, data });
  }

  /** Says `text` to everyone else in the room, or to one of them. */
  chat(text: string, to?: PeerId): Promise<Settled> {
    return this.#post(to === undefined ? { type: 'chat', text } : { type: 'chat', text, to });
  }

  /** Tells the others a new name or media state; a later `join` tells it too. */
  update(change: { name?: string; media?: MediaState; hand?: boolean; token?: string }): Promise<Settled> {
    assertFits({ type: 'update', ...change });
    const { hand: _, ...kept } = change;
    this.#join = { ...this.#join, ...kept };
    return this.#post({ type: 'update', ...change });
  }

  /** Says what hosts may say. */
  decide(message: Extract<Unnumbered, { type: Decisions }>): Promise<Settled> {
    return this.#post(message);
  }

  /** The network or the page woke up: tries again now, or finds out whether the connection is still alive. */
  checkConnection(): void {
    if (this.#phase.is === 'pausing') this.#connect();
    else if (this.#phase.is === 'joined' || this.#phase.is === 'waiting') {
      this.#ping(this.#phase.socket);
      this.#ladder.climb();
    }
  }

  /** Leaves the room for good; with `mayReturn` the seat is kept for some seconds. */
  leave(mayReturn = false): void {
    const phase = this.#phase;
    const text = JSON.stringify(mayReturn ? { type: 'leave', mayReturn } : { type: 'leave' });
    if (phase.is === 'joined' || phase.is === 'waiting') phase.socket.send(text);
    if (phase.is === 'moving') phase.old.send(text);
    this.#end('left');
  }

  // ── the socket ────────────────────────────────────────────────────────────────────────────────────────────────────

  #connect(): void {
    this.#attempt += 1;
    const socket = this.#ladder.open();
    this.#phase = { is: 'opening', socket };
    socket.onopen = () => this.#isCurrent(socket) && this.#sendJoin(socket);
    this.#hear(socket);
    this.#alarm.arm(this.#ladder.patience, () => this.#broke());
    this.#tell();
  }

  /** Joins again over a better socket, beside the old one. */
  #move(socket: Socket): void {
    if (this.#phase.is !== 'joined' && this.#phase.is !== 'waiting') return socket.close(1000);
    this.#phase.socket.retire?.();
    this.#phase = { is: 'moving', socket, old: this.#phase.socket, was: this.state };
    this.#hear(socket);
    this.#sendJoin(socket);
    this.#alarm.arm(this.#timing.opening, () => this.#lost());
  }

  #hear(socket: Socket): void {
    socket.onmessage = ({ data }) => {
      if (this.#isCurrent(socket)) this.#receive(socket, data);
    };
    socket.onclose = ({ code }) => {
      if (this.#isCurrent(socket)) this.#closed(code);
    };
  }

  /** A socket that was given up may still have something to say; it is not heard. */
  #isCurrent(socket: Socket): boolean {
    return 'socket' in this.#phase && this.#phase.socket === socket;
  }

  #sendJoin(socket: Socket): void {
    const session = this.#session;
    const resume = session.is === 'known' ? { session: session.secret, after: session.seen } : {};
    socket.send(JSON.stringify({ type: 'join', ...this.#join, ...resume }));
  }

  #closed(code: number): void {
    if (code === 1009) this.#end('too-long');
    else if (code >= 4500 && code <= 4999) this.#end(codeOfClose(code));
    else if (code >= 4000 && code <= 4499) this.#lost(1000);
    else this.#broke();
  }

  /** Not by the server's will, so perhaps by the network's. */
  #broke(): void {
    if (this.#phase.is !== 'moving') this.#ladder.broke();
    this.#lost();
  }

  /** Gives up this socket and comes back, after `retry` milliseconds if the server asks for that. */
  #lost(retry?: number): void {
    this.#turnTo({ is: 'pausing' });
    this.#alarm.arm(this.#backoff.next(retry), () => this.#connect());
    this.#tell();
  }

  #end(code: ErrorCode): void {
    if (this.#phase.is === 'closed') return;
    this.#turnTo({ is: 'closed', code });
    this.#outbox.close(code);
    this.#tell();
  }

  /** Drops the sockets of the phase before, which have nothing to say any more, not even that they are closed. */
  #turnTo(phase: Phase): void {
    const before = this.#phase;
    this.#phase = phase;
    this.#alarm.disarm();
    this.#pause.disarm();
    this.#calm.disarm();
    this.#ice = undefined;
    this.#ladder.stop();
    if ('socket' in before) before.socket.close(1000);
    if (before.is === 'moving') before.old.close(1000);
  }

  #watch(socket: Socket): void {
    this.#alarm.arm(this.#timing.ping, () => this.#ping(socket));
  }

  #ping(socket: Socket): void {
    socket.send('{"type":"ping"}');
    this.#alarm.arm(this.#timing.answer, () => this.#broke());
  }

  #tell(): void {
    this.#emitter.emit('state', this.state);
  }

  // ── what is sent ──────────────────────────────────────────────────────────────────────────────────────────────────

  /** @throws RangeError */
  #post(message: Unnumbered): Promise<Settled> {
    assertFits(message);
    const phase = this.#phase;
    if (phase.is === 'closed') return Promise.resolve({ accepted: false, code: phase.code });
    if (this.#outbox.size >= mostUnsettled) return Promise.resolve({ accepted: false, code: 'rate-limited' });
    return new Promise((settle) => {
      const numbered = this.#outbox.add(message, settle);
      if (phase.is === 'joined' && !this.#pause.armed) phase.socket.send(JSON.stringify(numbered));
    });
  }

  #sendUnsettled(): void {
    if (this.#phase.is !== 'joined') return;
    for (const message of this.#outbox.unsettled()) this.#phase.socket.send(JSON.stringify(message));
  }

  /** What follows a message that may be sent again would be out of order, so everything waits and goes again. */
  #pauseFor(retry: number): void {
    if (this.#pause.armed) return;
    this.#pause.arm(this.#repeats.next(retry), () => {
      this.#repeats.works();
      this.#sendUnsettled();
    });
  }

  // ── what is received ──────────────────────────────────────────────────────────────────────────────────────────────

  #receive(socket: Socket, data: unknown): void {
    const message = parse(data);
    if (!message) return;
    if (message.type === 'malformed') return this.#misheard(message);
    if (this.#phase.is === 'joined' || this.#phase.is === 'waiting') this.#watch(socket);
    switch (message.type) {
      case 'joined':
        return this.#entered(socket, message);
      case 'waiting':
        return this.#knocked(socket, message);
      case 'error':
        return this.#refused(socket, message);
      case 'bye':
        return this.#dismissed(message);
      default:
        // Nothing else comes before those.
        if (this.#phase.is === 'joined' || this.#phase.is === 'waiting') this.#told(message);
    }
  }

  #told(message: Exclude<ServerMessage, Joined | Waiting | Refusal | Bye>): void {
    switch (message.type) {
      case 'ack':
        return this.#outbox.acknowledged(message.n);
      case 'reached':
        if (this.#session.is === 'known') this.#session.seen = Math.max(message.seq, this.#session.seen ?? 0);
        return;
      case 'pong':
        return;
      case 'ice':
        this.#ice = message.ice;
        return this.#renewIce();
      default:
        return this.#happened(message);
    }
  }

  /** Without what a conversation begins with there is none. */
  #misheard({ of }: Malformed): void {
    if (this.#phase.is !== 'joined') return this.#failed('bad-message');
    if (this.#warned) return;
    this.#warned = true;
    this.#emitter.emit('warning', new TypeError(`malformed message: ${of}`));
  }

  #failed(code: ErrorCode): void {
    this.#because = code;
    this.#broke();
  }

  #renewIce(): void {
    if (!this.#ice || this.#calm.armed) return;
    this.#emitter.emit('ice', this.#ice);
    this.#ice = undefined;
    this.#calm.arm(iceRest, () => this.#renewIce());
  }

  #mayCome(many: number): boolean {
    const { now } = this.#clock;
    if (now - this.#newcomersSince > newcomersTime) {
      this.#newcomersSince = now;
      this.#newcomers = 0;
    }
    this.#newcomers += many;
    return this.#newcomers <= mostNewcomers;
  }

  #entered(socket: Socket, joined: Joined): void {
    if (this.#phase.is === 'joined') return;
    if (!joined.recovered && !this.#mayCome(Math.min(joined.peers.length, newcomersAtOnce)))
      return this.#failed('rate-limited');
    const before = this.#session;
    // After a resume the missed events follow with numbers up to `joined.seq`; a new beginning contains them.
    const resumed = joined.recovered && before.is === 'known';
    const seen = resumed ? before.seen && Math.min(before.seen, joined.seq) : joined.seq;
    if (!joined.recovered && before.is === 'known') this.#outbox.renew();
    this.#arrived(socket, { is: 'joined', socket }, { is: 'known', secret: joined.session, seen });
    // First what was numbered before, then what listeners send from within these events.
    this.#sendUnsettled();
    // The way to the others begins with it: before a page shows anything.
    this.#emitter.emit('joined', joined);
    this.#tell();
  }

  /** A host has to open. */
  #knocked(socket: Socket, { host, session, seq }: Waiting): void {
    if (this.#phase.is === 'joined' || this.#phase.is === 'waiting') return;
    this.#arrived(socket, { is: 'waiting', socket, host }, { is: 'known', secret: session, seen: seq });
    this.#tell();
  }

  #arrived(socket: Socket, phase: Phase, session: Session): void {
    this.#session = session;
    if (this.#phase.is === 'moving') {
      this.#phase.old.close(1000);
      this.#ladder.climbed();
    }
    this.#ladder.joined();
    this.#phase = phase;
    this.#attempt = 0;
    this.#because = undefined;
    this.#warned = false;
    this.#backoff.works();
    this.#watch(socket);
  }

  #happened(event: RoomEvent): void {
    // What has no number is of a later protocol.
    if (this.#session.is === 'none' || !(event.seq > (this.#session.seen ?? 0))) return;
    if (event.type === 'peer-joined' && !this.#mayCome(1)) return this.#failed('rate-limited');
    this.#session.seen = event.seq;
    if (event.type === 'waiting-updated' && this.#phase.is === 'waiting') {
      this.#phase.host = event.host;
      this.#tell();
    }
    this.#emitter.emit('event', event);
  }

  #refused(socket: Socket, { code, message, n, retry }: Refusal): void {
    if (n !== undefined && retry != null) return this.#pauseFor(retry);
    if (this.#phase.is === 'opening' || this.#phase.is === 'moving') return this.#joinRefused(socket, code, retry);
    if (n !== undefined) this.#outbox.refused(n, code);
    this.#emitter.emit('refused', { code, message });
  }

  #joinRefused(socket: Socket, code: ErrorCode, retry?: number): void {
    if (retry != null) return this.#sentAway(code, retry);
    if (this.#session.is === 'none' || isFinal(code)) return this.#end(code);
    // Whatever the server has against this session, a new one may be welcome.
    this.#session = { is: 'none' };
    this.#outbox.renew();
    this.#sendJoin(socket);
  }

  #dismissed({ code, retry }: Bye): void {
    const byOurselves = code === 'replaced' && (this.#phase.is === 'moving' || this.#ladder.fresh);
    if (byOurselves || (code === 'origin-refused' && this.#ladder.mistaken())) this.#lost();
    else if (retry === null) this.#end(code);
    else this.#sentAway(code, retry);
  }

  #sentAway(code: ErrorCode, retry: number): void {
    this.#because = code;
    this.#lost(retry);
  }
}
