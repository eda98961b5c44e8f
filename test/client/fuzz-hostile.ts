/** A room with one hostile and one honest peer: whatever the hostile one sends, the call with the other continues, and nothing grows. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { rateLimits } from '../../app/client/allowance.ts';
import { files, type Incoming, join, type Outgoing } from '../../app/client/room.ts';
import type { ServerMessage } from '../../app/protocol/messages.ts';
import { type Random, randomFrom } from '../listener/uwsgi/random.ts';
import { heldMegabytes } from '../setup/heap.ts';
import { FakeClock, settled } from './fake-clock.ts';
import { type FakePc, FakeRtc } from './fake-rtc.ts';
import { FakeServer, peer } from './fake-server.ts';
import { hostileFrame, hostileSignal } from './hostile-messages.ts';

/** `slowest`: milliseconds of CPU time of the slowest step. `grownBy`: MB. */
export type Outcome = { steps: number; slowest: number; grownBy: number; connections: number; received: number };

const base =
  'v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=ice-ufrag:abcd\r\na=ice-pwd:x\r\n';
const text = Buffer.from('from hand to hand');

/** Of the attacked page: at most one open connection to each of the two. */
class Page {
  readonly random: Random;
  readonly clock = new FakeClock();
  readonly server = new FakeServer();
  readonly rtc = new FakeRtc('me');
  /** Milliseconds of the page's own clock. */
  now = 0;
  /** Connections to the hostile peer so far. */
  connections = 0;
  received = 0;
  #room;
  #files;
  #seq = 0;
  #epoch = 1;
  #offered: Incoming[] = [];
  #outgoing: Outgoing[] = [];
  #honest: FakePc | undefined;
  /** Which side is the initiator towards the hostile peer. */
  readonly #initiator: boolean;

  constructor(random: Random, initiator: boolean) {
    this.random = random;
    this.#initiator = initiator;
    const inPlaceOf = { open: this.server.open, rtc: this.rtc, clock: this.clock };
    this.#room = join({ base: 'https://host/', room: 'garden', inPlaceOf });
    this.#files = files(this.#room, { limit: 1_000_000 });
    this.#files.on('file', (file) => this.#offered.push(file));
    this.#room.on('reaction', ({ from, text }) => {
      if (from === 'honest' && text === '🙂') this.received += 1;
    });
  }

  async begin(): Promise<void> {
    this.server.admit({ peers: [peer('honest'), peer('hostile', { initiator: this.#initiator })] });
    await settled();
    this.#honest = this.rtc.made[0];
    assert(this.#honest);
    this.#honest.signalingState = 'stable';
    this.#honest.become('connected');
    this.#honest.channel?.open();
  }

  get #hostile(): FakePc | undefined {
    return this.rtc.made.findLast((pc) => pc !== this.#honest && pc.connectionState !== 'closed');
  }

  /** One action of the hostile peer, or an event that affects it. */
  attack(): void {
    const { random } = this;
    this.now += random(20);
    const kind = random(20);
    if (kind < 9) this.#say({ type: 'signal', from: 'hostile', epoch: this.#epoch, data: this.#signal() });
    else if (kind < 16) this.#frame();
    else if (kind === 16) this.#hostile?.become(['connected', 'disconnected', 'failed', 'connecting'][random(4)] ?? '');
    else if (kind === 17) this.#room.react('👏');
    else if (kind === 18) this.#ask();
    else this.#change();
  }

  #signal(): NonNullable<unknown> {
    const at = this.server.latest.sent.findLast((message) => message.type === 'signal' && message.to === 'hostile');
    const data = at && 'data' in at ? (at.data as { link?: number }) : {};
    return hostileSignal(this.random, data.link ?? 1, base) ?? 0;
  }

  #frame(): void {
    const channel = this.#hostile?.channel;
    if (channel?.readyState === 'connecting') channel.open();
    const frame = hostileFrame(this.random);
    channel?.onmessage?.({ data: typeof frame === 'string' ? frame : frame.buffer });
  }

  /** What the user does with the hostile peer's files, and offers it. */
  #ask(): void {
    const { random } = this;
    const theirs = this.#offered.shift();
    if (random(2)) theirs?.accept();
    else theirs?.decline();
    for (const done of this.#outgoing.filter(({ state }) => state.state === 'closed' || state.state === 'done'))
      this.#outgoing.splice(this.#outgoing.indexOf(done), 1);
    if (this.#outgoing.length < 4) this.#outgoing.push(this.#files.offer('hostile', new File([text], 'own.txt')));
    else this.#outgoing[random(4)]?.cancel();
  }

  #change(): void {
    const { random } = this;
    const kind = random(6);
    if (kind === 0) this.#say({ type: 'peer-away', peer: 'hostile' });
    else if (kind === 1) this.#say({ type: 'peer-back', peer: 'hostile' });
    else if (kind > 2) this.#say({ type: 'peer-updated', peer: 'hostile', name: `${random(1_000)}` });
    else {
      this.#epoch += 1;
      this.#say({ type: 'peer-joined', peer: peer('hostile', { epoch: this.#epoch, initiator: this.#initiator }) });
    }
  }

  #say(event: object): void {
    this.#seq += 1;
    this.server.latest.say({ ...event, seq: this.#seq } as ServerMessage);
  }

  /** The call with the honest peer: a reaction and a file arrive, and its only connection is unchanged. */
  async serve(): Promise<void> {
    const [honest, before] = [this.#honest, this.received];
    this.now += rateLimits.reaction[1];
    const send = (word: object) => honest?.channel?.onmessage?.({ data: JSON.stringify(word) });
    send({ reaction: '🙂' });
    assert.equal(this.received, before + 1, 'the reaction of the honest peer was not received');
    this.now += rateLimits.file[1];
    const [id, { length: size }] = [this.now, text];
    send({ file: id, is: 'offer', name: 'note.txt', size, type: 'text/plain' });
    const file = this.#offered.find(({ peer }) => peer === 'honest');
    assert(file, 'the file of the honest peer was not offered');
    this.#offered.splice(this.#offered.indexOf(file), 1);
    file.accept();
    await settled();
    send({ file: id, is: 'begin', ask: 1 });
    const frame = new Uint8Array(4 + size);
    new DataView(frame.buffer).setUint32(0, id);
    frame.set(text, 4);
    honest?.channel?.onmessage?.({ data: frame.buffer });
    const done = new Promise<void>((resolve) => file.on('state', ({ state: is }) => is === 'done' && resolve()));
    send({ file: id, is: 'block', hash: createHash('sha256').update(text).digest('hex') });
    await done;
    assert.equal(honest?.connectionState, 'connected');
    assert.equal(this.#room.peers.find(({ id }) => id === 'honest')?.connectionState, 'connected');
    this.#tidy();
  }

  /** Frees what only the fakes keep. */
  #tidy(): void {
    const live = this.rtc.made.filter(({ connectionState }) => connectionState !== 'closed');
    assert(live.length <= 2, `${live.length} connections`);
    this.connections += this.rtc.made.length - live.length;
    this.rtc.made.splice(0, this.rtc.made.length, ...live);
    this.server.latest.sent.splice(0, this.server.latest.sent.length - 50);
    for (const pc of live) {
      assert(pc.candidates.length < 1_000_000);
      pc.candidates.length = 0;
      pc.channel?.sent.splice(0);
    }
    this.server.latest.say({ type: 'ack', n: 2 ** 40 });
    if (this.#offered.length > 50) throw new Error('the hostile peer has too many files on offer');
  }

  end(): void {
    this.#room.leave();
    assert.equal(this.clock.pending, 0);
    assert(this.rtc.made.every(({ connectionState }) => connectionState === 'closed'));
  }
}

/**
 * @param time takes the page's time in place of `performance.now`
 * @throws at the first violation
 */
export const fuzzHostile = async (seed: number, steps: number, time: (now: () => number) => void): Promise<Outcome> => {
  const random = randomFrom(seed);
  const page = new Page(random, seed % 2 === 0);
  time(() => page.now);
  await page.begin();
  let [slowest, before] = [0, 0];
  for (let step = 1; step <= steps; step += 1) {
    const start = process.cpuUsage();
    page.attack();
    const { user, system } = process.cpuUsage(start);
    slowest = Math.max(slowest, (user + system) / 1_000);
    if (step % 20 === 0) await page.clock.pass(random(400));
    if (step % 500 === 0) await page.serve();
    if (step === Math.floor(steps / 4)) before = heldMegabytes();
  }
  await page.serve();
  const grownBy = heldMegabytes() - before;
  const { received, connections } = page;
  const [burst, every] = rateLimits.connection;
  assert(connections <= burst + page.now / every + 1, `${connections} connections in ${page.now} ms`);
  page.end();
  return { steps, slowest, grownBy, connections, received };
};
