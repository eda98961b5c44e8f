/** The server side of the WebSockets that a Connection opens: shows what was sent, sends what the test says. */
import type { OpenSocket, Socket } from '../../app/client/transport.ts';
import type { ClientMessage, Joined, Peer, ServerMessage } from '../../app/protocol/messages.ts';

export class FakeSocket implements Socket {
  onopen: Socket['onopen'] = null;
  onmessage: Socket['onmessage'] = null;
  onclose: Socket['onclose'] = null;
  readonly url: string;
  sent: ClientMessage[] = [];
  closed = false;

  constructor(url: string) {
    this.url = url;
  }

  send(text: string): void {
    this.sent.push(JSON.parse(text));
  }

  close(): void {
    this.closed = true;
  }

  accept(): void {
    this.onopen?.(new Event('open'));
  }

  say(message: ServerMessage | string): void {
    const data = typeof message === 'string' ? message : JSON.stringify(message);
    this.onmessage?.(new MessageEvent('message', { data }));
  }

  drop(code: number): void {
    this.onclose?.(Object.assign(new Event('close'), { code, reason: '', wasClean: code !== 1006 }));
  }
}

export class FakeServer {
  sockets: FakeSocket[] = [];

  open: OpenSocket = (url) => {
    const socket = new FakeSocket(url);
    this.sockets.push(socket);
    return socket;
  };

  get latest(): FakeSocket {
    const socket = this.sockets.at(-1);
    if (!socket) throw new Error('no socket was opened');
    return socket;
  }

  /** Admits the latest socket. */
  admit(over: Partial<Joined> = {}): FakeSocket {
    this.latest.accept();
    this.latest.say(joined(over));
    return this.latest;
  }
}

export const joined = (over: Partial<Joined> = {}): Joined => ({
  type: 'joined',
  self: { id: 'me', role: 'guest', media: { audio: false, video: false }, hand: false },
  peers: [],
  room: { access: 'open', passcode: false },
  seq: 0,
  session: 'secret',
  ice: [],
  grace: 30_000,
  recovered: false,
  ...over,
});

export const peer = (id: string, over: Partial<Peer> = {}): Peer => ({
  id,
  role: 'guest',
  media: { audio: true, video: true },
  hand: false,
  away: false,
  initiator: true,
  polite: true,
  epoch: 1,
  ...over,
});
