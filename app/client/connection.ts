/** The signaling connection: one conversation with a room, carried by as many WebSockets as it takes. */
import type { ErrorCode } from '../protocol/errors.ts';
import type { Join, Joined, MediaState, PeerId, ServerMessage, Waiting } from '../protocol/messages.ts';
import { Alarm, browserClock, type Clock } from './clock.ts';
import { Emitter, type Source } from './events.ts';
import { Outbox, type Settled, type Unnumbered } from './outbox.ts';
import { codeOfClose, type OpenSocket, openWebSocket, parse, type Socket } from './wire.ts';

/** `connecting`: never joined so far. `reconnecting`: the room may still know us. `attempt`: how many were made since. */
export type ConnectionState =
  | { is: 'connecting'; attempt: number }
  | { is: 'joined' }
  | { is: 'reconnecting'; attempt: number }
  | { is: 'over'; code: ErrorCode };

/** What happens in the room, in the order of `seq`, each once. */
export type RoomEvent = Exclude<Extract<ServerMessage, { seq: number }>, Joined | Waiting>;

export type ConnectionEvents = {
  state: ConnectionState;
  /** The room was entered (`recovered: false`: begin anew) or the session went on (`recovered: true`). */
  joined: Joined;
  event: RoomEvent;
  /** ICE servers in place of those in `joined`, whose credentials are about to expire. */
  ice: Joined['ice'];
  /** Something that was sent is refused for good; the connection goes on. */
  refused: { code: ErrorCode; message: string };
};

/** Milliseconds. */
export type ConnectionTiming = {
  /** Silence after which the server is asked for a sign of life. */
  ping: number;
  /** How long a handshake, an answer to `join` or to `ping` may take. */
  answer: number;
  /** The first delay after a lost connection; it doubles up to `longest`. */
  backoff: number;
  longest: number;
};
const usualTiming: ConnectionTiming = { ping: 20_000, answer: 10_000, backoff: 300, longest: 8_000 };

export type ConnectionOptions = {
  /** `ws:` or `wss:` URL of the room. */
  url: string;
  join: Omit<Join, 'type' | 'session' | 'after'>;
  open?: OpenSocket;
  clock?: Clock;
  timing?: Partial<ConnectionTiming>;
};

type Phase =
  | { is: 'waiting' }
  | { is: 'opening'; socket: Socket }
  | { is: 'joined'; socket: Socket }
  | { is: 'over'; code: ErrorCode };
type Session = { is: 'none' } | { is: 'known'; secret: string; seen: number };
type Bye = Extract<ServerMessage, { type: 'bye' }>;
type Refusal = Extract<ServerMessage, { type: 'error' }>;

export class Connection implements Source<ConnectionEvents> {
  #url: string;
  #join: ConnectionOptions['join'];
  #open: OpenSocket;
  #clock: Clock;
  #timing: ConnectionTiming;
  #emitter = new Emitter<ConnectionEvents>();
  #outbox = new Outbox();
  #phase: Phase = { is: 'waiting' };
  #session: Session = { is: 'none' };
  #attempt = 0;
  /** The next attempt, the next ping, or the end of patience: there is always at most one of them. */
  #alarm: Alarm;
  /** While armed the server has asked for a pause: nothing numbered goes out. */
  #pause: Alarm;
  #pauses = 0;

  constructor({ url, join, open = openWebSocket, clock = browserClock, timing = {} }: ConnectionOptions) {
    this.#url = url;
    this.#join = join;
    this.#open = open;
    this.#clock = clock;
    this.#timing = { ...usualTiming, ...timing };
    this.#alarm = new Alarm(clock);
    this.#pause = new Alarm(clock);
    this.#connect();
  }

  get state(): ConnectionState {
    const phase = this.#phase;
    if (phase.is === 'joined') return { is: 'joined' };
    if (phase.is === 'over') return phase;
    return { is: this.#session.is === 'known' ? 'reconnecting' : 'connecting', attempt: this.#attempt };
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
  update(change: { name?: string; media?: MediaState; token?: string }): Promise<Settled> {
    this.#join = { ...this.#join, ...change };
    return this.#post({ type: 'update', ...change });
  }

  /** The network or the page woke up: tries again now, or finds out whether the connection is still alive. */
  nudge(): void {
    if (this.#phase.is === 'waiting') this.#connect();
    else if (this.#phase.is === 'joined') this.#ping(this.#phase.socket);
  }

  /** Leaves the room for good. */
  leave(): void {
    if (this.#phase.is === 'joined') this.#phase.socket.send(JSON.stringify({ type: 'leave' }));
    this.#end('left');
  }

  // ── the socket ────────────────────────────────────────────────────────────────────────────────────────────────────

  #connect(): void {
    this.#attempt += 1;
    const socket = this.#open(this.#url);
    // A socket that was given up may still have something to say; it is not heard.
    const current = () => 'socket' in this.#phase && this.#phase.socket === socket;
    socket.onopen = () => {
      if (current()) this.#sendJoin(socket);
    };
    socket.onmessage = ({ data }) => {
      if (current()) this.#receive(socket, data);
    };
    socket.onclose = ({ code }) => {
      if (current()) this.#closed(code);
    };
    this.#phase = { is: 'opening', socket };
    this.#alarm.arm(this.#timing.answer, () => this.#lost(this.#backoff()));
    this.#tell();
  }

  #sendJoin(socket: Socket): void {
    const session = this.#session;
    const resume = session.is === 'known' ? { session: session.secret, after: session.seen } : {};
    socket.send(JSON.stringify({ type: 'join', ...this.#join, ...resume }));
  }

  #closed(code: number): void {
    if (code === 1009) this.#end('too-long');
    else if (code >= 4500 && code <= 4999) this.#end(codeOfClose(code));
    else this.#lost(this.#backoff(code >= 4000 && code <= 4499 ? 1000 : undefined));
  }

  /** Gives up this socket and comes back after `delay` milliseconds. */
  #lost(delay: number): void {
    this.#dropSocket();
    this.#phase = { is: 'waiting' };
    this.#alarm.arm(delay, () => this.#connect());
    this.#tell();
  }

  #end(code: ErrorCode): void {
    if (this.#phase.is === 'over') return;
    this.#dropSocket();
    this.#phase = { is: 'over', code };
    this.#outbox.close(code);
    this.#tell();
  }

  #dropSocket(): void {
    this.#alarm.disarm();
    this.#pause.disarm();
    if ('socket' in this.#phase) this.#phase.socket.close(1000);
  }

  #backoff(first = this.#timing.backoff): number {
    const delay = Math.min(this.#timing.longest, first * 2 ** Math.min(this.#attempt, 16));
    return delay * (0.5 + this.#clock.random() / 2);
  }

  #watch(socket: Socket): void {
    this.#alarm.arm(this.#timing.ping, () => this.#ping(socket));
  }

  #ping(socket: Socket): void {
    socket.send('{"type":"ping"}');
    this.#alarm.arm(this.#timing.answer, () => this.#lost(0));
  }

  #tell(): void {
    this.#emitter.emit('state', this.state);
  }

  // ── what is sent ──────────────────────────────────────────────────────────────────────────────────────────────────

  #post(message: Unnumbered): Promise<Settled> {
    const phase = this.#phase;
    if (phase.is === 'over') return Promise.resolve({ accepted: false, code: phase.code });
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
    this.#pauses += 1;
    const atLeast = Math.min(this.#timing.longest, 25 * 2 ** Math.min(this.#pauses, 16));
    this.#pause.arm(Math.max(retry, atLeast), () => this.#sendUnsettled());
  }

  // ── what is received ──────────────────────────────────────────────────────────────────────────────────────────────

  #receive(socket: Socket, data: unknown): void {
    const message = parse(data);
    if (!message) return;
    if (this.#phase.is === 'joined') this.#watch(socket);
    switch (message.type) {
      case 'joined':
        return this.#entered(socket, message);
      case 'ack':
        this.#pauses = 0;
        return this.#outbox.acknowledged(message.n);
      case 'pong':
        return;
      case 'ice':
        return this.#emitter.emit('ice', message.ice);
      case 'error':
        return this.#refused(socket, message);
      case 'waiting':
        return;
      case 'bye':
        return this.#dismissed(message);
      default:
        return this.#happened(message);
    }
  }

  #entered(socket: Socket, joined: Joined): void {
    const before = this.#session;
    // After a resume the missed events follow with numbers up to `joined.seq`; a new beginning contains them.
    const seen = joined.recovered && before.is === 'known' ? before.seen : joined.seq;
    if (!joined.recovered && before.is === 'known') this.#outbox.renew();
    this.#session = { is: 'known', secret: joined.session, seen };
    this.#phase = { is: 'joined', socket };
    this.#attempt = 0;
    this.#watch(socket);
    // First what was numbered before, then what listeners send from within these events.
    this.#sendUnsettled();
    this.#tell();
    this.#emitter.emit('joined', joined);
  }

  #happened(event: RoomEvent): void {
    if (this.#session.is === 'none' || event.seq <= this.#session.seen) return;
    this.#session.seen = event.seq;
    this.#emitter.emit('event', event);
  }

  #refused(socket: Socket, { code, message, n, retry }: Refusal): void {
    if (n !== undefined && retry !== undefined) return this.#pauseFor(retry);
    if (this.#phase.is === 'opening') return this.#joinRefused(socket, code, retry);
    if (n !== undefined) this.#outbox.refused(n, code);
    this.#emitter.emit('refused', { code, message });
  }

  #joinRefused(socket: Socket, code: ErrorCode, retry?: number): void {
    if (retry !== undefined) return this.#lost(this.#later(retry));
    if (this.#session.is === 'none') return this.#end(code);
    // Whatever the server has against this session, a new one may be welcome.
    this.#session = { is: 'none' };
    this.#outbox.renew();
    this.#sendJoin(socket);
  }

  #dismissed({ code, retry }: Bye): void {
    if (retry === null) this.#end(code);
    else this.#lost(this.#later(retry));
  }

  /** The server's own delay, spread, so that a whole room does not come back in the same millisecond. */
  #later(retry: number): number {
    return retry * (1 + this.#clock.random() / 2);
  }
}
