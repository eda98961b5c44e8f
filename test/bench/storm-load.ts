/**
 * The clients of `storm.ts`, in a process that it forks: rooms of two, each client with a text to the other one now and then. They are light:
 * WebSockets and a few fields. The parent sends commands; events and the result are sent back.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import WebSocket from 'ws';
import { type DialectName, dialects, type Memory } from './storm-dialects.ts';

/** `first`: number of the first of so many `clients`. `pause`: ms between two texts of a client. */
export type StormJob = { dialect: DialectName; base: string; first: number; clients: number; pause: number };
/** `cut`: the network is gone; `back`: it works again; `end`: send nothing more, and report. */
export type StormCommand = 'cut' | 'back' | 'end';
/** `at`: ms since 1970, of the first time that the client was back after it was lost. */
export type StormReport = {
  at: number[];
  recovered: number;
  sent: number;
  lost: number;
  twice: number;
  refused: Record<string, number>;
};
/** `away`: how many clients are not connected now; `lost`: how many have been disconnected so far. */
export type StormEvent = { type: 'state'; away: number; lost: number } | { type: 'report'; report: StormReport };

const job: StormJob = JSON.parse(process.argv[2] ?? '');
const dialect = dialects[job.dialect];
let isCut = false;
const refused: Record<string, number> = {};
const refuse = (code: string): void => {
  refused[code] = (refused[code] ?? 0) + 1;
};

class Client {
  isIn = false;
  /** When it was back; 0: it was not lost, or is not back. */
  backAt = 0;
  wasLost = false;
  recovered = false;
  /** Texts sent to the other one; and how often each of those from it arrived. */
  sent = 0;
  readonly arrived: number[] = [];
  readonly #index: number;
  readonly #memory: Memory = { n: 0, session: '', last: '', unsettled: [] };
  readonly #backoff = dialect.backoff();
  #socket: WebSocket | undefined;
  /** ms that the server asked to wait. */
  #retry = 0;

  constructor(index: number) {
    this.#index = index;
  }

  connect(): void {
    if (isCut) return;
    const { url, subprotocol, greeting } = dialect;
    const socket = new WebSocket(job.base + url(`storm-${this.#index >> 1}`), subprotocol, {
      perMessageDeflate: false,
      handshakeTimeout: 20_000,
      localAddress: addressOf(this.#index),
    });
    this.#socket = socket;
    socket.on('open', () => {
      const first = greeting?.(this.#memory);
      if (first !== undefined) socket.send(first);
      else if (job.dialect === 'bare') this.#enter(true);
    });
    socket.on('message', (data: Buffer) => this.#read(String(data)));
    socket.on('unexpected-response', (request, { statusCode }) => {
      refuse(`HTTP ${statusCode}`);
      request.destroy();
      this.#lose(socket);
    });
    socket.on('error', () => {});
    socket.on('close', () => this.#lose(socket));
  }

  cut(): void {
    this.#socket?.terminate();
  }

  say(): void {
    const { unsettled } = this.#memory;
    const text = { n: ++this.#memory.n, text: `${this.sent++}` };
    if (dialect.acknowledges || !this.isIn) unsettled.push(text);
    if (this.isIn) this.#socket?.send(dialect.write(text.n, text.text));
  }

  #read(frame: string): void {
    const heard = dialect.read(frame, this.#memory);
    if (heard?.type === 'back') this.#enter(heard.recovered);
    else if (heard?.type === 'reply') this.#socket?.send(heard.frame);
    else if (heard?.type === 'text') this.arrived[Number(heard.text)] = (this.arrived[Number(heard.text)] ?? 0) + 1;
    else if (heard?.type === 'refused') {
      refuse(heard.code);
      // As a library does after a refusal that its session has ended.
      if (heard.final) this.#memory.session = '';
      this.#retry = heard.retry;
    }
  }

  #enter(recovered: boolean): void {
    this.isIn = true;
    this.recovered = recovered;
    if (this.wasLost) this.backAt ||= Date.now();
    this.#backoff.succeeded();
    for (const { n, text } of this.#memory.unsettled) this.#socket?.send(dialect.write(n, text));
    if (!dialect.acknowledges) this.#memory.unsettled = [];
  }

  #lose(socket: WebSocket): void {
    if (this.#socket !== socket) return;
    this.#socket = undefined;
    if (this.isIn) this.wasLost = true;
    this.isIn = false;
    if (!isCut) setTimeout(() => this.connect(), this.#backoff.next(this.#retry));
    this.#retry = 0;
  }
}

/** Four clients of an address, like a household: the limits by address stay at their defaults. */
const addressOf = (index: number): string => {
  const household = index >> 2;
  return `127.${1 + (household >> 14)}.${(household >> 7) & 127}.${1 + (household & 127)}`;
};

const clients = Array.from({ length: job.clients }, (_, index) => new Client(job.first + index));
const send = (event: StormEvent): void => void process.send?.(event);

const report = (): StormReport => {
  let [sent, lost, twice] = [0, 0, 0];
  for (const [index, { sent: own }] of clients.entries()) {
    const arrived = clients[index ^ 1]?.arrived ?? [];
    sent += own;
    for (let text = 0; text < own; text += 1) lost += arrived[text] === undefined ? 1 : 0;
    twice += arrived.filter((times) => times > 1).length;
  }
  const back = clients.filter(({ backAt }) => backAt > 0);
  return {
    at: back.map(({ backAt }) => backAt),
    recovered: back.filter((one) => one.recovered).length,
    sent,
    lost,
    twice,
    refused,
  };
};

process.on('message', async (command: StormCommand) => {
  if (command === 'cut') {
    isCut = true;
    for (const client of clients) client.cut();
  } else if (command === 'back') {
    isCut = false;
    // Browsers learn of it at the same time.
    for (const client of clients) client.connect();
  } else {
    clearInterval(talk);
    await sleep(5000);
    send({ type: 'report', report: report() });
  }
});

let hasBegun = false;
let turn = 0;
const talk = setInterval(() => {
  for (const [index, client] of clients.entries()) if (hasBegun && index % (job.pause / 100) === turn) client.say();
  turn = (turn + 1) % (job.pause / 100);
}, 100);
setInterval(() => {
  const away = clients.filter(({ isIn }) => !isIn).length;
  send({ type: 'state', away, lost: clients.filter(({ wasLost }) => wasLost).length });
}, 100);
for (let first = 0; first < clients.length; first += 50) {
  for (const client of clients.slice(first, first + 50)) client.connect();
  while (clients.slice(0, first + 50).some(({ isIn }) => !isIn)) await sleep(10);
}
hasBegun = true;
