/**
 * A room whose server is hostile, over WebSockets, polls and streams, and correct from time to time: the page continues, nothing grows or
 * spins, and it rejoins the room whenever the server is correct.
 */
import assert from 'node:assert/strict';
import { join, type Room, type Settled } from '../../app/client/room.ts';
import type { ServerMessage } from '../../app/protocol/messages.ts';
import { type Random, randomFrom } from '../listener/uwsgi/random.ts';
import { heldMegabytes } from '../setup/heap.ts';
import { FakeClock } from './fake-clock.ts';
import { type Asked, FakeHttp, type Given, piecesOf } from './fake-http.ts';
import { FakeRtc } from './fake-rtc.ts';
import { FakeSocket, joined, peer } from './fake-server.ts';
import { hostileText, junk } from './hostile-texts.ts';

/** `slowest`: milliseconds of CPU time of the slowest step. `grownBy`: MB. `minutes` of the page's own clock. */
export type Outcome = Record<
  'sent' | 'received' | 'slowest' | 'grownBy' | 'minutes' | 'connections' | 'requests' | 'rooms' | 'recovered',
  number
>;

/** The limit of requests and connections a minute, on average. */
const most = { connections: 20, requests: 700 };

class World {
  readonly clock = new FakeClock();
  readonly rtc = new FakeRtc('me');
  readonly http: FakeHttp;
  readonly outcome: Outcome;
  honest = false;
  /** WebSockets break, so the transport is plain HTTP. */
  low = false;
  #room: Room | undefined;
  readonly random: Random;
  #sockets: FakeSocket[] = [];
  #seq = 0;
  /** How often the page itself checked its connection. */
  #nudges = 0;

  constructor(random: Random) {
    this.random = random;
    this.outcome = {
      sent: 0,
      received: 0,
      slowest: 0,
      grownBy: 0,
      minutes: 0,
      connections: 0,
      requests: 0,
      rooms: 0,
      recovered: 0,
    };
    this.http = new FakeHttp(this.clock, (asked) => this.#answer(asked));
  }

  get room(): Room {
    assert(this.#room);
    return this.#room;
  }

  /** In place of the global WebSocket. */
  socketClass(): unknown {
    const world = this;
    return class extends FakeSocket {
      constructor(url: string) {
        super(url);
        world.outcome.connections += 1;
        world.#sockets = [...world.#sockets.slice(-3), this];
        queueMicrotask(() => (world.honest || !world.low ? this.accept() : this.drop(1006)));
      }

      override send(text: string): void {
        super.send(text);
        this.sent.splice(0, this.sent.length - 10);
        if (world.honest) for (const reply of world.#repliesTo([text])) this.say(reply);
        else if (text.startsWith('{"type":"join"') && world.random(4)) this.say(world.#welcome());
      }
    };
  }

  enter(): void {
    this.outcome.rooms += 1;
    this.#room = join({ base: 'https://host/', room: 'garden', inPlaceOf: { rtc: this.rtc, clock: this.clock } });
    for (const name of ['chat', 'peer-joined', 'state', 'room-state'] as const)
      this.room.on(name, () => {
        this.outcome.received += 1;
        if (!this.honest && this.random(50) === 0) throw new Error('a mistake of the page');
      });
  }

  // ── the correct server ───────────────────────────────────────────────────────────────────────────────────────────────

  #repliesTo(texts: string[]): ServerMessage[] {
    return texts.flatMap((text): ServerMessage[] => {
      const { type, n } = JSON.parse(text);
      if (type === 'join') return [joined({ peers: [peer('a')], seq: this.#seq })];
      if (type === 'ping') return [{ type: 'pong' }];
      return n === undefined ? [] : [{ type: 'ack', n }];
    });
  }

  #honestAnswer({ path, accept, body }: Asked): Given {
    if (path === 'join') return { body: JSON.stringify(this.#repliesTo(['{"type":"join"}'])[0]) };
    if (path === 'messages') {
      const texts = JSON.parse(body).map((message: object) => JSON.stringify(message));
      return { body: JSON.stringify({ messages: this.#repliesTo(texts) }) };
    }
    if (accept === 'text/event-stream') return { type: accept, body: piecesOf([': \n\n'], true) };
    return undefined;
  }

  // ── the hostile server ───────────────────────────────────────────────────────────────────────────────────────────────

  #answer(asked: Asked): Given {
    this.outcome[asked.path === 'join' ? 'connections' : 'requests'] += 1;
    this.http.requests.length = 0;
    if (this.honest) return this.#honestAnswer(asked);
    const { random } = this;
    const kind = random(12);
    if (kind === 0) return undefined;
    if (kind === 1) return { status: 502, type: 'text/html', body: '<p>no' };
    if (kind === 2) return { body: JSON.stringify(junk(random)) };
    if (kind === 3) return { body: piecesOf(this.#texts(3), true) };
    if (asked.path === 'join' && kind < 10) return { body: JSON.stringify(this.#welcome()) };
    if (asked.path === 'join') return { body: this.#text() };
    if (asked.accept === 'text/event-stream' && kind < 9) return this.#stream(asked.accept);
    return { body: `{"messages":[${[...this.#texts(10)].filter(isJson).join(',')}],"seq":${random(1_000)}}` };
  }

  #stream(type: string): Given {
    const { random } = this;
    const ends = ['\n', '\r', '\r\n', '\u2028'];
    const blocks = [...this.#texts(20)].map((text) => {
      const end = ends[random(ends.length)];
      const id = random(3) ? `id: ${random(5) ? random(1_000) : '9'.repeat(400)}${end}` : '';
      return `${id}${random(20) ? 'data: ' : ''}${text}${random(10) ? end : ''}${end}`;
    });
    return { type, body: piecesOf(blocks, random(2) === 0) };
  }

  /** A session starts or resumes. */
  #welcome(): ServerMessage {
    const { random } = this;
    const peers = ['a', 'b', 'c'].slice(random(3)).map((id) => peer(id, { initiator: random(2) === 0 }));
    return joined({ seq: random(100), peers, recovered: random(3) === 0, self: { ...joined().self, role: 'host' } });
  }

  #text(): string {
    this.outcome.sent += 1;
    return hostileText(this.random);
  }

  *#texts(count: number): Iterable<string> {
    for (let left = this.random(count); left > 0; left -= 1) yield this.#text();
  }

  /** One unrequested action of the server, or an action of the page. */
  step(): void {
    const { random } = this;
    const kind = random(40);
    const socket = this.#sockets.at(-1);
    if (this.room.transport === 'websocket' && kind < 30) for (const text of this.#texts(40)) socket?.say(text);
    else if (kind < 33) socket?.drop(random(4) ? 1006 : 4000 + random(500));
    else if (kind === 33) socket?.drop(4500 + random(10));
    else if (kind < 37) void this.room.chat('hello');
    else if (kind < 39) void this.room.update({ hand: random(2) === 0 });
    else if (random(4) === 0) {
      this.#nudges += 1;
      this.room.checkConnection();
    }
    if (this.room.state.state === 'closed') this.enter();
    this.rtc.made.splice(
      0,
      this.rtc.made.length,
      ...this.rtc.made.filter(({ connectionState }) => connectionState !== 'closed'),
    );
  }

  /** The server is correct from now on: within a little more than the longest delay the page is in the room, and receives its messages. */
  async recover(): Promise<void> {
    this.honest = true;
    for (const socket of this.#sockets.splice(0)) socket.drop(1006);
    const until = this.clock.now + 700_000;
    // Over HTTP pending responses may take a while.
    while (this.room.state.state !== 'joined' || this.room.peers.length !== 1) {
      if (this.room.state.state === 'closed') this.enter();
      assert(this.clock.now < until, `not in the room again, but ${JSON.stringify(this.room.state)}`);
      await this.clock.pass(1_000);
    }
    // An earlier request may still wait for its response, and fail.
    let end: Settled | undefined;
    void this.room.chat('is anybody there?').then((settled) => {
      end = settled;
    });
    for (; !end; await this.clock.pass(1_000)) assert(this.clock.now < until, 'a message is not settled');
    assert.deepEqual(end, { accepted: true });
    this.outcome.recovered += 1;
    this.honest = false;
    this.low = !this.low;
    for (const socket of this.#sockets.splice(0)) socket.drop(1006);
  }

  check(): void {
    const { outcome, clock } = this;
    outcome.minutes = clock.now / 60_000;
    const allowed = most.connections * outcome.minutes + this.#nudges + 4 * outcome.rooms;
    assert(outcome.connections <= allowed, `${outcome.connections} connections in ${outcome.minutes} minutes`);
    assert(outcome.requests <= most.requests * outcome.minutes + 100, `${outcome.requests} requests`);
  }

  async end(): Promise<void> {
    this.room.leave();
    await this.clock.pass(60_000);
    assert.equal(this.clock.pending, 0);
    assert(this.rtc.made.every(({ connectionState }) => connectionState === 'closed'));
  }
}

const isJson = (text: string): boolean => {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
};

/**
 * @param count messages of the server
 * @param globals replaces the global ones by these
 * @throws at the first violation
 */
export const fuzzServer = async (
  seed: number,
  count: number,
  globals: (names: { WebSocket: unknown; fetch: unknown }) => void,
): Promise<Outcome> => {
  const world = new World(randomFrom(seed));
  globals({ WebSocket: world.socketClass(), fetch: world.http.fetch });
  world.enter();
  const { outcome, clock, random } = world;
  let before = 0;
  for (let round = 1; outcome.sent < count; round += 1) {
    const start = process.cpuUsage();
    world.step();
    if (world.low || round % 4 === 0) await clock.pass(random(8) ? random(1_000) : random(20_000));
    const { user, system } = process.cpuUsage(start);
    outcome.slowest = Math.max(outcome.slowest, (user + system) / 1_000);
    if (round % 300 === 0) await world.recover();
    if (before === 0 && outcome.sent > count / 4) before = heldMegabytes();
  }
  await world.recover();
  outcome.grownBy = heldMegabytes() - before;
  world.check();
  await world.end();
  return outcome;
};
