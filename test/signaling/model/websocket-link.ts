/** A session over a WebSocket on a line. */
import type { connect } from 'node:net';
import WebSocket from 'ws';
import type { ErrorCode } from '../../../app/protocol/errors.ts';
import { protocolVersion, type ServerMessage, serverMessage } from '../../../app/protocol/messages.ts';
import { type Direction, Line, type Manner } from './line.ts';
import { AnyLink, type Fields, type Link, type LinkListener } from './links.ts';

export class WebSocketLink extends AnyLink implements Link {
  readonly kind = 'WebSocket';
  readonly #line: Line;
  readonly #socket: WebSocket;
  #early: (string | Buffer)[] = [];
  #unanswered = 0;
  /** When the server last pinged, and how many pings were not answered. */
  pinged = 0;
  unheard = 0;
  reloads = false;
  #bye: ErrorCode | undefined;

  constructor(path: string, room: string, listener: LinkListener) {
    super(path, room, listener);
    this.#line = new Line(path);
    // ws passes it on to node:http, which takes any duplex stream.
    const createConnection = (() => this.#line) as unknown as typeof connect;
    this.#socket = new WebSocket(`ws://model/rooms/${room}/ws`, protocolVersion, { createConnection });
    this.#socket.on('open', () => {
      for (const data of this.#early.splice(0)) this.#socket.send(data);
    });
    this.#socket.on('message', (data) => this.#hear(serverMessage.parse(JSON.parse(String(data)))));
    this.#socket.on('error', () => {});
    this.#socket.on('close', (code) => this.#closed(code));
  }

  get quiet(): boolean {
    return this.#unanswered === 0;
  }

  join(fields: Fields): void {
    this.#unanswered += 1;
    this.write(JSON.stringify({ type: 'join', ...fields }));
  }

  say(messages: Fields[]): void {
    for (const message of messages) {
      if (message.type === 'ping') this.#unanswered += 1;
      this.write(JSON.stringify(message));
    }
  }

  leave(): void {
    this.mayEnd.add('left');
    this.#unanswered += 1;
    this.write('{"type":"leave"}');
  }

  drain(): void {
    this.say([{ type: 'ping' }]);
  }

  cut(manner: Manner): void {
    this.condition = 'over';
    this.#line.cut(manner);
  }

  cutAfter(direction: Direction, bytes: number, manner: Manner): void {
    this.condition = 'armed';
    this.#line.cutAfter(direction, bytes, manner);
  }

  freeze(): void {
    this.condition = 'frozen';
    this.excused = true;
    this.#line.freeze();
  }

  stall(): void {
    this.condition = 'stalled';
    this.excused = true;
    this.#line.stall();
  }

  thaw(): void {
    // A stalled link still sends, and so counts as alive.
    if (this.unheard === 1 || this.condition === 'stalled') this.unheard = 0;
    this.condition = 'whole';
    this.#line.thaw();
  }

  /** Leaves like a page that may be reloading. */
  reload(): void {
    this.reloads = true;
    this.misbehave('{"type":"leave","mayReturn":true}', 'left');
  }

  /** Sends what ends a session. */
  misbehave(data: string | Buffer, refused: ErrorCode): void {
    this.mayEnd.add(refused);
    this.#unanswered += 1;
    this.write(data);
  }

  /** Sends bytes or a text unchanged. */
  write(data: string | Buffer): void {
    if (this.#socket.readyState === WebSocket.CONNECTING) this.#early.push(data);
    else this.#socket.send(data, () => {});
  }

  #hear(message: ServerMessage): void {
    if (this.condition === 'over') return;
    // In a joined session only pings are refused without a number.
    const answers = message.type === 'error' ? message.n === undefined : ['joined', 'pong'].includes(message.type);
    if (answers) this.#unanswered -= 1;
    if (message.type === 'bye') this.#bye = message.code;
    if (message.type === 'joined') this.welcomed = true;
    this.listener.received(this, message);
  }

  #closed(code: number): void {
    if (this.condition === 'whole' || this.condition === 'stalled') {
      this.ended = { code, ...(this.#bye === undefined ? {} : { refused: this.#bye }) };
    }
    this.condition = 'over';
    this.#unanswered = 0;
    this.listener.returned(this);
  }
}
