/** Chooses the transport: WebSocket, plain HTTP where the network breaks WebSockets, and WebSocket again once they work. */
import { Alarm, type Clock } from './clock.ts';
import { HttpSocket, Streams } from './http-transport.ts';
import { parse } from './shape.ts';
import { SignalingWebSocket } from './signaling-websocket.ts';
import type { Timing } from './timeouts.ts';
import type { OpenSocket, Socket, TransportKind } from './transport.ts';

/** The longest delay between two WebSocket probes, in milliseconds. */
const longestProbeDelay = 600_000;

export type TransportFallbackOptions = {
  url: string;
  open: OpenSocket;
  clock: Clock;
  timing: Timing;
  /** A probe has shown that this WebSocket carries messages both ways: the session can move to it. */
  better(socket: Socket): void;
};

export class TransportFallback {
  #setup: TransportFallbackOptions;
  #kind: TransportKind = 'websocket';
  /** Failures of this transport since it last worked, and the number at which the other one is tried. */
  #failures = 0;
  #maxFailures = 1;
  #justUpgraded = false;
  #probeDelay: number;
  /** Deadline for counting the transport as reliable, for the next probe, or for the running probe. */
  #alarm: Alarm;
  #probe: Socket | undefined;

  constructor(setup: TransportFallbackOptions) {
    this.#setup = setup;
    this.#probeDelay = setup.timing.climb;
    this.#alarm = new Alarm(setup.clock);
  }

  /** Milliseconds to wait for `joined`; shorter for a WebSocket, which a middlebox may have swallowed. */
  get patience(): number {
    const { opening, answer } = this.#setup.timing;
    return this.#kind === 'websocket' ? opening : answer;
  }

  open(): Socket {
    return this.#setup.open(this.#setup.url, this.#kind);
  }

  /** The connection failed without a message of the server. A transport that has proved reliable may fail twice. */
  failed(): void {
    this.#failures += 1;
    if (this.#failures < this.#maxFailures) return;
    this.#setKind(this.#kind === 'websocket' ? 'http' : 'websocket');
  }

  /**
   * The server refused the page's origin. Chromium's WebSocket handshake lacks Sec-Fetch-Site, so where a front end drops the port
   * from the host, only plain HTTP shows that the page is the server's own.
   * @returns whether plain HTTP has yet to be tried
   */
  originRefused(): boolean {
    if (this.#kind === 'http' || !isSameOrigin(this.#setup.url)) return false;
    this.#setKind('http');
    return true;
  }

  /** The session is joined. */
  joined(): void {
    const { opening } = this.#setup.timing;
    this.#alarm.arm(this.#kind === 'websocket' ? opening : this.#probeDelay, () => this.#onReliable());
  }

  /** The session moved to the WebSocket. */
  upgraded(): void {
    this.#setKind('websocket');
    this.#justUpgraded = true;
  }

  /** Whether it moved recently: a pending request of the previous socket may still take the session back. */
  get justUpgraded(): boolean {
    return this.#justUpgraded;
  }

  /** Probes a WebSocket while plain HTTP continues, without affecting the session. */
  probe(): void {
    if (this.#kind === 'websocket' || this.#probe) return;
    const socket = this.#setup.open(this.#setup.url, 'websocket');
    this.#probe = socket;
    socket.onopen = () => socket.send('{"type":"ping"}');
    socket.onmessage = ({ data }) => {
      if (this.#probe !== socket || parse(data)?.type !== 'pong') return;
      this.#probe = undefined;
      this.#alarm.disarm();
      this.#setup.better(socket);
    };
    socket.onclose = () => this.#probe === socket && this.#onProbeFailed();
    this.#alarm.arm(this.#setup.timing.opening, () => this.#onProbeFailed());
  }

  /** The session is no longer joined. */
  stop(): void {
    const probe = this.#probe;
    this.#probe = undefined;
    this.#alarm.disarm();
    probe?.close();
  }

  #setKind(kind: TransportKind): void {
    this.#kind = kind;
    this.#failures = 0;
    this.#maxFailures = 1;
    this.#justUpgraded = false;
  }

  #onReliable(): void {
    this.#failures = 0;
    this.#maxFailures = 3;
    this.#justUpgraded = false;
    this.probe();
  }

  #onProbeFailed(): void {
    this.stop();
    this.#probeDelay = Math.min(2 * this.#probeDelay, longestProbeDelay);
    this.joined();
  }
}

/** Opens the sockets of one connection; they share what is known about event streams on this network. */
export const openSockets = (clock: Clock, timing: Timing): OpenSocket => {
  const streams = new Streams(timing.climb, clock);
  return (url, kind) =>
    kind === 'websocket' ? new SignalingWebSocket(url) : new HttpSocket(url, streams, clock, timing);
};

const isSameOrigin = (url: string): boolean =>
  typeof location === 'object' && location.origin === new URL(url.replace(/^ws/, 'http')).origin;
