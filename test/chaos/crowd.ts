/**
 * Peers in rooms that continue to send whatever happens: the library's own connection over real sockets. The judge records what they send
 * and receive.
 */
import WebSocket from 'ws';
import { browserClock } from '../../app/client/clock.ts';
import { Connection } from '../../app/client/connection.ts';
import { HttpSocket, Streams } from '../../app/client/http-transport.ts';
import type { RoomEvent } from '../../app/client/signaling.ts';
import { defaultTiming } from '../../app/client/timeouts.ts';
import type { OpenSocket, Socket } from '../../app/client/transport.ts';
import type { Joined } from '../../app/protocol/messages.ts';
import { Judge, type Message, quantile, type Verdict } from './judge.ts';

// All of this process would count as tabs of one browser, of which only a few may wait at a time.
Object.defineProperty(globalThis, 'navigator', { value: {} });

/** The base URL of the rooms, such as `http://host`; peers that are `apart` have a network of their own. */
export type Where = { url: string; apart?: { url: string; every: number } };
export type Numbers = {
  rooms: number;
  peers: number /** Milliseconds between two messages of a peer. */;
  pause: number;
};
/** `waits`: for each peer, the longest time in seconds until a message was acknowledged. */
export type Outcome = Verdict & {
  waits: { median: number; p95: number; max: number };
  broken: number;
  fatal: string[];
};

/** What changes the received messages of a socket, such as a faulty server: it may change, drop or repeat them. */
export type Spoil = (text: string, say: (text: string) => void) => void;

/** `open`: in place of the library's own sockets; `session`: of the previous page, whose seat is taken again. */
export type Ways = { isApart?: boolean; open?: OpenSocket; session?: string | undefined };

/** `at`: when it was sent, by the clock of this process. */
type TimedMessage = Message & { at: number };

export class Member {
  readonly name: string;
  readonly room: string;
  readonly isApart: boolean;
  readonly connection: Connection;
  /** The peers it sees, by id: their names, which are the names in this driver. */
  readonly others = new Map<string, { name: string; epoch: number }>();
  /** The longest time in ms until a message was acknowledged. */
  longest = 0;
  socket: WebSocket | undefined;
  readonly #crowd: Crowd;
  #n = 0;
  #unanswered = 0;
  #inSince = Number.POSITIVE_INFINITY;

  constructor(crowd: Crowd, name: string, room: string, url: string, { isApart = false, open, session }: Ways = {}) {
    this.#crowd = crowd;
    this.isApart = isApart;
    this.name = name;
    this.room = room;
    this.connection = new Connection({ url, join: { name }, session, open: open ?? this.#open });
    this.connection.on('joined', (joined) => this.#joined(joined));
    this.connection.on('event', (event) => this.#happened(event));
    this.connection.on('state', (state) => {
      if (state.state === 'closed' && state.code !== 'left') crowd.fatal.push(`${name}: ${state.code}`);
      if (state.state === 'reconnecting' || state.state === 'connecting') crowd.judge.away(name, performance.now());
    });
  }

  get isIn(): boolean {
    return this.connection.state.state === 'joined';
  }

  /** Sends a text to everyone or, every other time, a signal to one peer. */
  say(wanted?: { to: string; filling: string }): void {
    const now = performance.now();
    this.#n += 1;
    const n = this.#n;
    const others = [...this.others];
    const [id, to] = wanted
      ? (others.find(([, { name }]) => name === wanted.to) ?? [])
      : n % 2 === 0
        ? (others[(n / 2) % others.length] ?? [])
        : [];
    this.#crowd.judge.sent(this.name, n, this.room, now, to?.name);
    this.#unanswered += 1;
    const message: TimedMessage = { from: this.name, n, at: now };
    const settled =
      to && id
        ? this.connection.signal(id, to.epoch, { ...message, filling: wanted?.filling })
        : this.connection.chat(JSON.stringify(message));
    void settled.then(({ accepted }) => {
      const at = performance.now();
      this.#unanswered -= 1;
      this.longest = Math.max(this.longest, at - now);
      if (!accepted) return;
      this.#crowd.judge.acknowledged(this.name, n, at);
      if (now > this.#inSince) this.#crowd.delays.acknowledged.push(at - now);
    });
  }

  /** Whether all its messages are settled. */
  get isAnswered(): boolean {
    return this.#unanswered === 0;
  }

  #joined({ peers, recovered }: Joined): void {
    this.#inSince = performance.now();
    this.#crowd.judge.joined(this.name, this.room, this.#inSince, recovered);
    if (recovered) return;
    this.others.clear();
    for (const { id, name = id, epoch } of peers) this.others.set(id, { name, epoch });
  }

  #happened(event: RoomEvent): void {
    switch (event.type) {
      case 'peer-joined':
        return void this.others.set(event.peer.id, { name: event.peer.name ?? event.peer.id, epoch: event.peer.epoch });
      case 'peer-left': {
        const who = this.others.get(event.peer);
        this.others.delete(event.peer);
        return this.#crowd.judge.left(this.name, who?.name ?? event.peer, performance.now());
      }
      case 'chat':
        return this.#received(event.text);
      case 'signal':
        return this.#received(JSON.stringify(event.data));
    }
  }

  /** Other peers may be in the room, and send anything. */
  #received(text: string): void {
    if (!text.startsWith('{"from":')) return;
    const message: TimedMessage = JSON.parse(text);
    this.#crowd.judge.received(this.name, message);
    if (message.at > this.#inSince) this.#crowd.delays.received.push(performance.now() - message.at);
  }

  readonly #open: OpenSocket = (url, rung) => {
    if (rung !== 'websocket') return new HttpSocket(url, this.#crowd.streams, browserClock, defaultTiming);
    const socket = new WebSocket(url, 'genkan.v1', { perMessageDeflate: false });
    this.socket = socket;
    // The close code says which.
    socket.on('error', () => {});
    socket.on('close', (code) => {
      if (code === 1006) this.#crowd.broken += 1;
    });
    const { spoil } = this.#crowd;
    // It has the properties of a browser's.
    return spoil ? spoiled(socket, spoil) : (socket as unknown as Socket);
  };
}

export class Crowd {
  readonly judge = new Judge();
  readonly members: Member[] = [];
  readonly streams = new Streams(defaultTiming.climb, browserClock);
  readonly fatal: string[] = [];
  /** ms from sending to acknowledgement, and to delivery; for peers that were connected throughout. */
  readonly delays: { acknowledged: number[]; received: number[] } = { acknowledged: [], received: [] };
  readonly spoil: Spoil | undefined;
  broken = 0;
  #talk: NodeJS.Timeout | undefined;

  constructor(spoil?: Spoil) {
    this.spoil = spoil;
  }

  /** Fills the rooms; resolves when every peer has joined. */
  async enter(where: Where, { rooms, peers }: Pick<Numbers, 'rooms' | 'peers'>, prefix = 'chaos'): Promise<void> {
    for (let at = 0; at < rooms * peers; at += 1) {
      const room = `${prefix}-${Math.floor(at / peers)}`;
      const apart = at % (where.apart?.every ?? Number.POSITIVE_INFINITY) === 0 ? where.apart : undefined;
      const url = `${(apart ?? where).url.replace('http', 'ws')}/rooms/${room}/ws`;
      this.members.push(new Member(this, `${prefix}-${at}`, room, url, { isApart: apart !== undefined }));
      // Spread over several turns, as in practice.
      if (at % 20 === 19) await new Promise((resolve) => setTimeout(resolve, 20));
    }
    await this.#until('everyone is in', () => this.members.every(({ isIn }) => isIn), 60_000);
  }

  /** Lets every peer send from now on, each `pause` ms, spread evenly. */
  talk(pause: number): void {
    const began = performance.now();
    let count = 0;
    this.#talk = setInterval(() => {
      const due = ((performance.now() - began) / pause) * this.members.length;
      // After this process was frozen, missed messages are not sent at once.
      if (due - count > this.members.length) count = Math.floor(due);
      for (; count < due; count += 1) this.members[count % this.members.length]?.say();
    }, 10);
  }

  /** Waits until every message is settled and the peer lists are final, at most `ms`. */
  async end(ms: number): Promise<Outcome> {
    this.stop();
    const calm = () => this.members.every((member) => member.isIn && member.isAnswered);
    await this.#until('everyone is answered', calm, ms).catch((error: Error) => this.fatal.push(error.message));
    // The last acknowledged messages may still be on their way; a peer that left may be listed until grace is over.
    const settled = () => {
      const { lost, ghosts } = this.verdict();
      return lost + ghosts === 0;
    };
    await this.#until('', settled, ms).catch(() => {});
    const waits = this.members.map(({ longest }) => longest / 1000).sort((a, b) => a - b);
    return {
      ...this.verdict(),
      waits: { median: quantile(waits, 0.5), p95: quantile(waits, 0.95), max: waits.at(-1) ?? 0 },
      broken: this.broken,
      fatal: this.fatal,
    };
  }

  verdict(): Verdict {
    const byRoom = Map.groupBy(this.members, ({ room }) => room);
    const here = new Map([...byRoom].map(([room, those]) => [room, those.map(({ name }) => name)]));
    const views = new Map(
      this.members.map(({ name, others }) => [name, [...others.values()].map((other) => other.name)]),
    );
    return this.judge.verdict(views, here);
  }

  /** Stops sending. */
  stop(): void {
    clearInterval(this.#talk);
  }

  leave(): void {
    this.stop();
    for (const { connection } of this.members) connection.leave();
  }

  async #until(what: string, so: () => boolean, ms: number): Promise<void> {
    for (const late = performance.now() + ms; !so(); await new Promise((resolve) => setTimeout(resolve, 250)))
      if (performance.now() > late) throw new Error(`not within ${ms / 1000} s: ${what}`);
  }
}

/** A socket whose messages pass through a function first. */
const spoiled = (inner: WebSocket, spoil: Spoil): Socket => {
  const outer: Socket = {
    onopen: null,
    onmessage: null,
    onclose: null,
    send: (text) => inner.send(text),
    close: (code) => inner.close(code),
  };
  const say = (text: string) => outer.onmessage?.({ data: text } satisfies { data: string } as MessageEvent);
  inner.onopen = () => outer.onopen?.(new Event('open'));
  inner.onmessage = ({ data }) => spoil(String(data), say);
  inner.onclose = ({ code }) => outer.onclose?.({ code } satisfies { code: number } as CloseEvent);
  return outer;
};
