/** The sockets of a signaling connection, one after the other: reconnects, pings, and moves to a better transport. */
import type { ErrorCode } from '../protocol/errors.ts';
import { Backoff } from './backoff.ts';
import { Alarm, type Clock } from './clock.ts';
import type { Timing } from './timeouts.ts';
import { codeOfClose, type OpenSocket, type Socket, type Transport } from './transport.ts';
import { TransportFallback } from './transport-fallback.ts';

export type ReconnectingSocketOptions = {
  /** `ws:` or `wss:` URL of the room. */
  url: string;
  open: OpenSocket;
  clock: Clock;
  timing: Timing;
  /** The message that joins the room, which is sent first over each socket. */
  join(): string;
  receive(data: unknown): void;
  /** An attempt to connect has begun, or one will begin later because the socket was lost. */
  reconnecting(): void;
  /** The server closed the socket, and the client must not reconnect. */
  ended(code: ErrorCode): void;
};

/**
 * `pausing`: between two attempts. `opening`: not joined yet. `open`: in the room or its lobby. `moving`: to a better socket; until
 * that has joined, the room still uses the old one.
 */
type SocketPhase =
  | { state: 'pausing' }
  | { state: 'opening'; socket: Socket }
  | { state: 'open'; socket: Socket }
  | { state: 'moving'; socket: Socket; old: Socket }
  | { state: 'closed' };

export class ReconnectingSocket {
  #setup: ReconnectingSocketOptions;
  #fallback: TransportFallback;
  #phase: SocketPhase = { state: 'pausing' };
  #attempt = 0;
  /** Deadline of the next attempt, the next ping or the current response; only one of them is ever pending. */
  #alarm: Alarm;
  #backoff: Backoff;

  constructor(setup: ReconnectingSocketOptions) {
    const { url, open, clock, timing } = setup;
    this.#setup = setup;
    this.#fallback = new TransportFallback({ url, open, clock, timing, better: (socket) => this.#moveTo(socket) });
    this.#alarm = new Alarm(clock);
    this.#backoff = new Backoff(clock, timing);
  }

  /** The number of attempts since it was last open. */
  get attempt(): number {
    return this.#attempt;
  }

  get isOpen(): boolean {
    return this.#phase.state === 'open';
  }

  /** Whether the session moves to a better socket, or has moved recently. */
  get isMoving(): boolean {
    return this.#phase.state === 'moving' || this.#fallback.justUpgraded;
  }

  /** The current transport, or the one that is joining. */
  get transport(): Transport | undefined {
    return 'socket' in this.#phase ? (this.#phase.socket.transport ?? 'websocket') : undefined;
  }

  connect(): void {
    this.#attempt += 1;
    const socket = this.#fallback.open();
    this.#phase = { state: 'opening', socket };
    socket.onopen = () => this.#isCurrent(socket) && this.sendJoin();
    this.#listen(socket);
    this.#alarm.arm(this.#fallback.patience, () => this.fail());
    this.#setup.reconnecting();
  }

  sendJoin(): void {
    if ('socket' in this.#phase) this.#phase.socket.send(this.#setup.join());
  }

  /** The room was joined, or its lobby. */
  joined(): void {
    if (!('socket' in this.#phase)) return;
    if (this.#phase.state === 'moving') {
      this.#phase.old.close(1000);
      this.#fallback.upgraded();
    }
    this.#fallback.joined();
    this.#phase = { state: 'open', socket: this.#phase.socket };
    this.#attempt = 0;
    this.#backoff.succeeded();
    this.heard();
  }

  /** Drops the text unless open. */
  send(text: string): void {
    if (this.#phase.state === 'open') this.#phase.socket.send(text);
  }

  /** Sends a last message also while moving, and closes. */
  close(last?: string): void {
    if (last !== undefined && this.#phase.state === 'moving') this.#phase.old.send(last);
    else if (last !== undefined) this.send(last);
    this.#setPhase({ state: 'closed' });
  }

  /** The server has sent something: the next ping is due later. */
  heard(): void {
    if (this.#phase.state === 'open') this.#alarm.arm(this.#setup.timing.ping, () => this.#ping());
  }

  /** Reconnects immediately, or checks whether the socket is still alive. */
  check(): void {
    if (this.#phase.state === 'pausing') this.connect();
    else if (this.#phase.state === 'open') {
      this.#ping();
      this.#fallback.probe();
    }
  }

  /** The connection failed without a message of the server, so the network may block the transport. */
  fail(): void {
    if (this.#phase.state !== 'moving') this.#fallback.failed();
    this.reconnectLater();
  }

  /** The server refused the page's origin. @returns whether another transport has yet to be tried */
  originRefused(): boolean {
    return this.#fallback.originRefused();
  }

  /** Abandons this socket and reconnects, after at least `retry` milliseconds if the server requests that. */
  reconnectLater(retry?: number): void {
    this.#setPhase({ state: 'pausing' });
    this.#alarm.arm(this.#backoff.next(retry), () => this.connect());
    this.#setup.reconnecting();
  }

  /** Joins again over a better socket while the old one stays open. */
  #moveTo(socket: Socket): void {
    if (this.#phase.state !== 'open') return socket.close(1000);
    this.#phase.socket.retire?.();
    this.#phase = { state: 'moving', socket, old: this.#phase.socket };
    this.#listen(socket);
    this.sendJoin();
    this.#alarm.arm(this.#setup.timing.opening, () => this.reconnectLater());
  }

  #listen(socket: Socket): void {
    socket.onmessage = ({ data }) => {
      if (this.#isCurrent(socket)) this.#setup.receive(data);
    };
    socket.onclose = ({ code }) => {
      if (this.#isCurrent(socket)) this.#closed(code);
    };
  }

  /** Events of an abandoned socket are ignored. */
  #isCurrent(socket: Socket): boolean {
    return 'socket' in this.#phase && this.#phase.socket === socket;
  }

  #closed(code: number): void {
    if (code === 1009) this.#setup.ended('too-long');
    else if (code >= 4500 && code <= 4999) this.#setup.ended(codeOfClose(code));
    else if (code >= 4000 && code <= 4499) this.reconnectLater(1000);
    else this.fail();
  }

  #ping(): void {
    this.send('{"type":"ping"}');
    this.#alarm.arm(this.#setup.timing.answer, () => this.fail());
  }

  /** Changes the phase first, so that the sockets of the previous one are ignored while they close. */
  #setPhase(phase: SocketPhase): void {
    const before = this.#phase;
    this.#phase = phase;
    this.#alarm.disarm();
    this.#fallback.stop();
    if ('socket' in before) before.socket.close(1000);
    if (before.state === 'moving') before.old.close(1000);
  }
}
