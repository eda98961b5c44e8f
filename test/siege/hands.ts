/** The tools of an attack: requests, WebSockets and bare connections from any of its addresses, at a limited rate. */
import { Agent, request } from 'node:http';
import { connect, type Socket } from 'node:net';
import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises';
import WebSocket from 'ws';
import { attackerV4, attackerV6 } from './addresses.ts';

/** `status` 0: no response. */
export type Reply = { status: number; text: string };
export type Seat = { room: string; session: string; from: string; id: string; seq: number };
type Setup = { port: number; until: number; share: number; counts: Record<string, number> };

export type Attack = {
  /** Its aim, for the reader of the table. */
  does: string;
  /** Continues until the siege is over. */
  run(hands: Hands): Promise<unknown>;
};

const agent = new Agent({ keepAlive: true, maxSockets: 256 });
/** CPU time (ms) that may be used at once after a pause. */
const most = 100;

/** Limits this process to its share of a processor. */
const pace = { allowed: true, credit: most, used: process.cpuUsage(), at: performance.now(), begun: false };
const keepPace = (share: number): void => {
  if (pace.begun) return;
  pace.begun = true;
  setInterval(() => {
    const [{ user, system }, now] = [process.cpuUsage(pace.used), performance.now()];
    pace.credit = Math.min(most, pace.credit + share * (now - pace.at) - (user + system) / 1000);
    Object.assign(pace, { used: process.cpuUsage(), at: now, allowed: pace.credit > 0 });
  }, 10).unref();
};

export class Hands {
  readonly #setup: Setup;

  constructor(setup: Setup) {
    this.#setup = setup;
    keepPace(setup.share);
  }

  get isRunning(): boolean {
    return performance.now() < this.#setup.until;
  }

  get v4(): string {
    return attackerV4;
  }

  /** Another one each time. */
  get v6(): string {
    return attackerV6();
  }

  get anywhere(): string {
    return Math.random() < 0.5 ? attackerV4 : attackerV6();
  }

  count(what: string, by = 1): void {
    const { counts } = this.#setup;
    counts[what] = (counts[what] ?? 0) + by;
  }

  /** Repeats something, with so many at a time, until the siege is over. */
  async repeat(hands: number, act: (hand: number, nth: number) => unknown): Promise<void> {
    const one = async (hand: number): Promise<void> => {
      for (let nth = 0; this.isRunning; nth += 1) {
        await this.turn();
        // Whatever fails, the attack continues.
        await Promise.resolve(act(hand, nth)).catch(() => this.count('failed'));
      }
    };
    await Promise.all(Array.from({ length: hands }, (_, hand) => one(hand)));
  }

  /** Waits until this process may run again. */
  async turn(): Promise<void> {
    await nextTurn();
    while (!pace.allowed && this.isRunning) await sleep(10);
  }

  pause(ms: number): Promise<void> {
    return sleep(ms);
  }

  /** A request; the kind of its response is counted: `ok`, or the error code. */
  async ask(method: 'GET' | 'POST', path: string, from: string, body?: unknown, session?: string): Promise<Reply> {
    const reply = await this.#request(method, path, from, body, session);
    this.count(kindOf(reply));
    return reply;
  }

  async join(room: string, from: string, fields: Record<string, unknown> = {}): Promise<Seat | undefined> {
    const reply = await this.ask('POST', `/rooms/${room}/join`, from, fields);
    if (reply.status !== 200) return undefined;
    const { session, self, seq } = JSON.parse(reply.text);
    return { room, session, from, id: self.id, seq };
  }

  post({ room, session, from }: Seat, messages: unknown): Promise<Reply> {
    return this.ask('POST', `/rooms/${room}/messages`, from, messages, session);
  }

  /** An open WebSocket, or undefined if it was refused; received messages go to `hear`. */
  open(room: string, from: string, hear: (text: string) => void = () => {}): Promise<WebSocket | undefined> {
    return new Promise((resolve) => {
      const url = `ws://127.0.0.1:${this.#setup.port}/rooms/${room}/ws`;
      const headers = { 'x-forwarded-for': from };
      const socket = new WebSocket(url, 'genkan.v1', { perMessageDeflate: false, headers, handshakeTimeout: 5000 });
      socket.on('open', () => resolve(socket));
      socket.on('message', (data) => hear(String(data)));
      socket.on('error', () => resolve(undefined));
      socket.on('close', (code) => {
        this.count(`closed ${code}`);
        resolve(undefined);
      });
    });
  }

  /** A joined WebSocket, with its `joined`. */
  async enter(
    room: string,
    from: string,
    fields: Record<string, unknown> = {},
    hear: (text: string) => void = () => {},
  ): Promise<{ socket: WebSocket; seat: Seat; peers: { id: string; epoch: number }[] } | undefined> {
    let answer: ((text: string) => void) | undefined;
    const answered = new Promise<string>((resolve) => {
      answer = resolve;
    });
    const socket = await this.open(room, from, (text) => {
      answer?.(text);
      hear(text);
    });
    if (!socket) return undefined;
    socket.send(JSON.stringify({ type: 'join', ...fields }));
    socket.on('close', () => answer?.('{"type":"closed"}'));
    const { type, code = type, self, session, seq, peers } = JSON.parse(await answered);
    this.count(type === 'joined' ? 'ok' : code);
    if (type === 'joined') return { socket, seat: { room, session, from, id: self.id, seq }, peers };
    socket.terminate();
    return undefined;
  }

  /** A bare connection that has sent this text. */
  raw(text: string, read = true): Socket {
    const socket = connect({ port: this.#setup.port, host: '127.0.0.1', allowHalfOpen: true });
    socket.on('error', () => {});
    if (read) socket.resume();
    else socket.pause();
    socket.write(text);
    return socket;
  }

  #request(method: string, path: string, from: string, body: unknown, session?: string): Promise<Reply> {
    return new Promise((resolve) => {
      const payload = body === undefined ? '' : typeof body === 'string' ? body : JSON.stringify(body);
      const headers = {
        'x-forwarded-for': from,
        ...(method === 'POST'
          ? { 'content-type': 'application/json', 'content-length': Buffer.byteLength(payload) }
          : {}),
        ...(session === undefined ? {} : { authorization: `Bearer ${session}` }),
      };
      const none = () => resolve({ status: 0, text: '' });
      const sent = request({ host: '127.0.0.1', port: this.#setup.port, method, path, headers, agent }, (response) => {
        const parts: Buffer[] = [];
        response.on('data', (part: Buffer) => parts.push(part));
        response.on('end', () => resolve({ status: response.statusCode ?? 0, text: Buffer.concat(parts).toString() }));
        response.on('error', none);
      });
      sent.on('error', none);
      sent.setTimeout(15_000, () => sent.destroy());
      sent.end(payload);
    });
  }
}

const kindOf = ({ status, text }: Reply): string => {
  if (status === 0) return 'no answer';
  if (status < 400) return 'ok';
  return /"code":"([a-z-]+)"/.exec(text.slice(0, 200))?.[1] ?? String(status);
};
