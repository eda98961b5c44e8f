/** Which way to go: by WebSocket, by plain HTTP where a network spoils those, and back up once it no longer does. */
import { Alarm, type Clock } from './clock.ts';
import { parse } from './shape.ts';
import type { Timing } from './timeouts.ts';
import type { OpenSocket, Socket, TransportKind } from './transport.ts';

/** The longest time (ms) between two tries of the better way. */
const longestRest = 600_000;

export type TransportFallbackOptions = {
  url: string;
  open: OpenSocket;
  clock: Clock;
  timing: Timing;
  /** A WebSocket has shown that messages pass both ways: the conversation may go on over it. */
  better(socket: Socket): void;
};

export class TransportFallback {
  #setup: TransportFallbackOptions;
  #rung: TransportKind = 'websocket';
  /** How often this rung broke since it last proved itself, and how often it may. */
  #strikes = 0;
  #patience = 1;
  #fresh = false;
  #rest: number;
  /** A rung is about to prove itself, a better one to be tried, or a trial to be given up. */
  #alarm: Alarm;
  #trial: Socket | undefined;

  constructor(setup: TransportFallbackOptions) {
    this.#setup = setup;
    this.#rest = setup.timing.climb;
    this.#alarm = new Alarm(setup.clock);
  }

  /** Milliseconds to wait for `joined`: a WebSocket that takes long may be one that somebody swallows. */
  get patience(): number {
    const { opening, answer } = this.#setup.timing;
    return this.#rung === 'websocket' ? opening : answer;
  }

  open(): Socket {
    return this.#setup.open(this.#setup.url, this.#rung);
  }

  /** The connection broke without a word of the server. One that has proved itself is forgiven twice. */
  broke(): void {
    this.#strikes += 1;
    if (this.#strikes < this.#patience) return;
    this.#setRoomState(this.#rung === 'websocket' ? 'http' : 'websocket');
  }

  /**
   * The server did not take the page for its own. Chromium says less of a page with the handshake of a WebSocket than with requests
   * (no Sec-Fetch-Site), so where the page is the server's own and a front end has lost a port, plain HTTP gets in.
   * @returns whether that is yet to be tried
   */
  mistaken(): boolean {
    if (this.#rung === 'http' || !isOwn(this.#setup.url)) return false;
    this.#setRoomState('http');
    return true;
  }

  /** A conversation is under way. */
  joined(): void {
    const { opening } = this.#setup.timing;
    this.#alarm.arm(this.#rung === 'websocket' ? opening : this.#rest, () => this.#proved());
  }

  /** The conversation went over to the better socket. */
  climbed(): void {
    this.#setRoomState('websocket');
    this.#fresh = true;
  }

  /** It did so a moment ago: a request of the socket before may still be on its way and take the session back. */
  get fresh(): boolean {
    return this.#fresh;
  }

  /** Tries a WebSocket beside the plain HTTP of now, without touching the session. */
  climb(): void {
    if (this.#rung === 'websocket' || this.#trial) return;
    const socket = this.#setup.open(this.#setup.url, 'websocket');
    this.#trial = socket;
    socket.onopen = () => socket.send('{"type":"ping"}');
    socket.onmessage = ({ data }) => {
      if (this.#trial !== socket || parse(data)?.type !== 'pong') return;
      this.#trial = undefined;
      this.#alarm.disarm();
      this.#setup.better(socket);
    };
    socket.onclose = () => this.#trial === socket && this.#stay();
    this.#alarm.arm(this.#setup.timing.opening, () => this.#stay());
  }

  /** No conversation is under way any more. */
  stop(): void {
    const trial = this.#trial;
    this.#trial = undefined;
    this.#alarm.disarm();
    trial?.close();
  }

  #setRoomState(rung: TransportKind): void {
    this.#rung = rung;
    this.#strikes = 0;
    this.#patience = 1;
    this.#fresh = false;
  }

  #proved(): void {
    this.#strikes = 0;
    this.#patience = 3;
    this.#fresh = false;
    this.climb();
  }

  #stay(): void {
    this.stop();
    this.#rest = Math.min(2 * this.#rest, longestRest);
    this.joined();
  }
}

const isOwn = (url: string): boolean =>
  typeof location === 'object' && location.origin === new URL(url.replace(/^ws/, 'http')).origin;
