/** Several workers behind one nginx: all requests for a room reach the same one, however its name is written. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { nginxFiles } from '../../app/commands/nginx.ts';
import { HttpPeer, WebSocketPeer } from '../../app/conform/peers.ts';
import { eventStream, plainHttp, webSocket } from '../../app/conform/transports.ts';
import { ask as tell } from '../../app/process/control-socket.ts';
import { stage } from '../process/program.ts';
import { nginxes } from '../setup/nginxes.ts';
import { pairwise } from '../setup/pairwise.ts';
import { isThorough, without } from '../setup/without.ts';
import { startSite } from '../signaling/site.ts';
import { ask } from './ask.ts';
import { type Backend, startBackend } from './backend.ts';
import { type Nginx, startNginx } from './nginx.ts';

const held = z.looseObject({ workers: z.array(z.looseObject({ rooms: z.number(), peers: z.number() })) });
const missing = without('nginx');

const encode = (text: string): string => Array.from(Buffer.from(text), (byte) => `%${byte.toString(16)}`).join('');

/** The room's name in its URL, and other spellings of it. */
const spellings = [
  ['a', '%61'],
  ['standup', '%73tandup', 'st%61ndup', encode('standup')],
  ['b_1-2', 'b%5f1%2D2', 'b%5F1%2d2'],
  ['%E7%8E%84%E9%96%A2', '%e7%8e%84%e9%96%a2'],
  ['caf%C3%A9', 'c%61f%c3%a9'],
];
/** Every path below a room's URL. */
const below = ['', '/', '/ws', '/join', '/messages', '/leave', '/events?after=0&wait=1'];

const kinds = ['uwsgi', 'http'] as const;
const situations = ['/', '/a.b/meet/'].flatMap((base) => kinds.map((kind) => ({ kind, base })));
const all = nginxes.flatMap((by) => situations.map((one) => ({ by, ...one })));
const workers = isThorough ? all : pairwise(all, [({ by }) => by, ({ kind }) => kind, ({ base }) => base]);

for (const { by, kind, base } of workers)
  describe.skipIf(by.version === undefined)(`three workers, ${by.name}, by ${kind}, below ${base}`, () => {
    const backends: Backend[] = [];
    let nginx: Nginx;
    beforeAll(async () => {
      for (let count = 0; count < 3; count += 1) backends.push(await startBackend(kind));
      const [first, ...more] = backends.map(({ address }) => address);
      const words = [...more.flatMap((address) => ['--upstream', address]), '--base', base];
      nginx = await startNginx({ by, app: { kind, address: first ?? '' }, words });
    });
    afterAll(async () => {
      await nginx.stop();
      for (const backend of backends) await backend.stop();
    });
    const counts = () => backends.map((backend) => backend.count());
    /** The workers that received something meanwhile. */
    const reached = async (act: () => Promise<unknown>): Promise<number[]> => {
      const before = counts();
      await act();
      return counts().flatMap((count, index) => (count > (before[index] ?? 0) ? [index] : []));
    };

    test.each(spellings)('all requests for a room go to one worker: %s', async (...names) => {
      const workers = await reached(async () => {
        for (const name of names) for (const rest of below) await ask(nginx, `${base}rooms/${name}${rest}`);
      });
      expect(workers).toHaveLength(1);
    });

    test('rooms are spread over the workers, and so are other requests', async () => {
      const rooms = async () => {
        for (let count = 0; count < 60; count += 1) await ask(nginx, `${base}rooms/r${count}`);
      };
      const pages = async () => {
        for (let count = 0; count < 60; count += 1) await ask(nginx, base);
      };
      expect(await reached(rooms)).toEqual([0, 1, 2]);
      expect(await reached(pages)).toEqual([0, 1, 2]);
    });

    test('a room keeps its worker after a reload', async () => {
      const before = await reached(() => ask(nginx, `${base}rooms/stays`));
      await nginx.reload();
      expect(await reached(() => ask(nginx, `${base}rooms/stays`))).toEqual(before);
    });
  });

describe.each(nginxes)('a worker that is down, $name', (by) => {
  test.skipIf(by.version === undefined).each(kinds)(
    'by %s: its rooms wait for it, no request goes to another worker, and its errors do not affect others',
    async (kind) => {
      const backends = [await startBackend(kind), await startBackend(kind)];
      const [first, second] = backends.map(({ address }) => address);
      const app = { kind, address: first ?? '' };
      const nginx = await startNginx({ by, app, words: ['--upstream', second ?? ''] });
      const rooms = Array.from({ length: 20 }, (_, index) => `/rooms/r${index}`);
      await backends[1]?.stop();
      const statuses = async () => Promise.all(rooms.map(async (room) => (await ask(nginx, room)).status));
      const once = await statuses();
      const again = await statuses();
      await nginx.stop();
      await backends[0]?.stop();
      expect(new Set(once)).toEqual(new Set([200, 502]));
      expect(again).toEqual(once);
    },
  );
});

test.skipIf(missing)(
  'a site with two names: pages of both join the same rooms, pages of a third are refused',
  async () => {
    const site = await startSite([]);
    const words = ['--mode', 'vhost', '--server-name', 'a.example', '--server-name', 'b.example'];
    const sites = (port: number) => `server { listen 127.0.0.1:${port} default_server; return 410; }`;
    const nginx = await startNginx({ app: { kind: 'uwsgi', address: site.addresses.socket }, words, sites });
    const join = async (Host: string, origin: string) => {
      const headers = { Host, Origin: `http://${origin}`, 'Content-Type': 'application/json' };
      return JSON.parse((await ask(nginx, '/rooms/both/join', { method: 'POST', headers, body: '{}' })).body);
    };
    expect((await join('a.example', 'a.example')).peers).toEqual([]);
    expect((await join('b.example', 'b.example')).peers).toHaveLength(1);
    expect(await join('a.example', 'b.example')).toMatchObject({ type: 'error', code: 'origin-refused' });
    expect((await ask(nginx, '/', { headers: { Host: 'c.example' } })).status).toBe(410);
    await nginx.stop();
    await site.stop();
  },
);

describe.skipIf(missing)('the workers of the supervisor', () => {
  const play = stage();
  afterAll(() => play.clear());

  test('are found by nginx from the settings that start them, and peers meet', async () => {
    const settings = ['--socket', play.path('app.%w.sock'), '--processes', '3'];
    const program = play.start(settings);
    for (let nth = 1; nth <= 3; nth += 1) await program.logged('listening', nth);
    const found = nginxFiles(settings, {});
    expect('files' in found && found.files.get('snippets/genkan-workers.conf')).toContain(
      [1, 2, 3].map((worker) => `    server unix:${play.path(`app.${worker}.sock`)} max_fails=0;\n`).join(''),
    );
    const app = { kind: 'uwsgi', address: play.path('app.1.sock') } as const;
    const words = [2, 3].flatMap((worker) => ['--upstream', play.path(`app.${worker}.sock`)]);
    const nginx = await startNginx({ app, words });
    for (let count = 0; count < 9; count += 1) {
      const [a, b] = [new WebSocketPeer(nginx.url, `玄関-${count}`), new HttpPeer(nginx.url, `玄関-${count}`)];
      await a.join();
      expect((await b.join()).peers).toHaveLength(1);
      await b.send({ type: 'chat', text: 'here' });
      expect(await a.inbox.take('chat')).toMatchObject({ text: 'here' });
      a.dispose();
      b.dispose();
    }
    await nginx.stop();
  });

  test('exchange no message: all requests for a room reach one, and the others do not know the room', async () => {
    const control = play.path('control');
    const flags = ['--http-socket', '127.0.0.1:0', '--processes', '3', '--control-socket', control];
    const program = play.start(flags);
    const listening = await Promise.all([1, 2, 3].map((nth) => program.logged('listening', nth)));
    const own = listening.map(({ address = '' }) => address);
    const [first = '', ...others] = own;
    const words = others.flatMap((address) => ['--upstream', address]);
    const nginx = await startNginx({ app: { kind: 'http', address: first }, words });
    const workers = async () => held.parse((await tell(control, 'status')).status).workers;
    // By WebSocket, by polls and by an event stream: joins, messages, events, and leaving.
    const rooms = Array.from({ length: 12 }, (_, room) =>
      [webSocket, plainHttp, eventStream].map((way) => way.peer(nginx.url, `one-${room}`)),
    );
    for (const peers of rooms) {
      for (const peer of peers) await peer.join();
      for (const speaker of peers) {
        await speaker.send({ type: 'chat', text: `of ${speaker.id}` });
        for (const other of peers)
          if (other !== speaker) expect(await other.inbox.take('chat')).toMatchObject({ text: `of ${speaker.id}` });
      }
      const guest = new HttpPeer(nginx.url, peers[0]?.room ?? '');
      await guest.join();
      await guest.leave();
    }
    // Ports differ each time, and with them the hash of rooms: with so many rooms, a worker gets none once in a hundred million runs.
    const more = Array.from({ length: 36 }, (_, room) => new HttpPeer(nginx.url, `more-${room}`));
    for (const peer of more) await peer.join();
    // A room that two of them had would count twice.
    await expect.poll(async () => (await workers()).map(({ peers }) => peers).reduce((a, b) => a + b)).toBe(72);
    expect((await workers()).map(({ rooms: count }) => count).reduce((a, b) => a + b)).toBe(48);
    for (const { rooms: count } of await workers()) expect(count).toBeGreaterThan(0);
    // Without nginx the same name is another room in each.
    const apart = own.map((address) => new WebSocketPeer(`http://${address}`, 'same'));
    for (const peer of apart) expect((await peer.join()).peers).toEqual([]);
    for (const [at, peer] of apart.entries()) await peer.send({ type: 'chat', text: `${at}` });
    for (const peer of apart) expect(await peer.inbox.take('ack')).toMatchObject({ n: 1 });
    for (const peer of apart) expect([...peer.inbox.of('peer-joined'), ...peer.inbox.of('chat')]).toEqual([]);
    for (const peer of [...rooms.flat(), ...more, ...apart]) peer.dispose();
    await nginx.stop();
  });
});
