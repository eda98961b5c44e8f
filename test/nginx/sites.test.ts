/** Several names for one app, and one name for the apps of two hosts: end to end, from peers to rooms. */

import { readFile, rm } from 'node:fs/promises';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import WebSocket from 'ws';
import { HttpPeer, type TestPeer, WebSocketPeer } from '../../app/conform/peers.ts';
import { type Stage, stage } from '../process/program.ts';
import { freePort } from '../setup/free-port.ts';
import { nginxes } from '../setup/nginxes.ts';
import { isThorough } from '../setup/without.ts';
import { type Site, startSite } from '../signaling/site.ts';
import { ask, type Target } from './ask.ts';
import { certificate } from './modes.ts';
import { type Nginx, prepare, startNginx, testConfiguration } from './nginx.ts';

const kinds = ['uwsgi', 'http'] as const;
/** Unless everything is requested, each version with one protocol, in turn. */
const chosen = nginxes.flatMap((by, index) =>
  kinds.filter((_, nth) => isThorough || nth === index % 2).map((kind) => ({ by, kind })),
);
const names = ['meet.example', 'call.example'] as const;
const files = certificate(...names);
afterAll(() => files.remove());

for (const { by, kind } of chosen)
  describe.skipIf(by.version === undefined)(`two names for one app, ${by.name}, by ${kind}`, () => {
    let site: Site;
    let nginx: Nginx;
    let ca: string;
    beforeAll(async () => {
      ca = await readFile(files.chain, 'utf8');
      site = await startSite([]);
      const address = site.addresses[kind === 'uwsgi' ? 'unix' : 'http-unix'];
      const named = names.flatMap((name) => ['--server-name', name]);
      const words = ['--mode', 'tls', ...named, '--certificate', files.chain, '--certificate-key', files.key];
      nginx = await startNginx({ by, words, app: { kind, address } });
    });
    afterAll(async () => {
      await nginx.stop();
      await site.stop();
    });
    const under = (name: string): Target => ({
      port: nginx.port,
      tls: { ca, servername: name },
      headers: { Host: `${name}:${nginx.port}` },
    });
    const originOf = (name: string) => `https://${name}:${nginx.port}`;
    /** The type of the first message after a join, or the status that refused the handshake. */
    const enter = (name: string, origin: string) =>
      new Promise<string>((resolve) => {
        const { port, tls, headers } = under(name);
        const options = { ...tls, headers: { ...headers, Origin: origin } };
        const socket = new WebSocket(`wss://127.0.0.1:${port}/rooms/both/ws`, 'genkan.v1', options);
        onTestFinished(() => socket.terminate());
        socket.once('error', (error) => resolve(error.message));
        socket.once('open', () => socket.send('{"type":"join"}'));
        socket.once('message', (data) => resolve(String(data)));
      });

    test.each(names)('%s serves the page, and redirects http to https', async (name) => {
      expect((await ask(under(name), '/rooms/x')).status).toBe(200);
      const moved = await ask({ port: nginx.plainPort, headers: { Host: name } }, '/rooms/x');
      expect(moved).toMatchObject({ status: 308, headers: { location: `${originOf(name)}/rooms/x` } });
    });

    test('peers of both names meet in one room, and each name accepts only its own origin', async () => {
      const [meet, call] = names;
      expect(JSON.parse(await enter(meet, originOf(meet)))).toMatchObject({ type: 'joined', peers: [] });
      const second = JSON.parse(await enter(call, originOf(call)));
      expect(second).toMatchObject({ type: 'joined', peers: [{ initiator: true }] });
      expect(await enter(call, originOf(meet))).toContain('"code":"origin-refused"');
    });
  });

describe.each(chosen)('two hosts of the app, $by.name, by $kind', ({ by, kind }) => {
  let here: Stage;
  const peers: TestPeer[] = [];
  beforeEach(() => {
    here = stage();
  });
  afterEach(async () => {
    for (const peer of peers.splice(0)) peer.dispose();
    await here.clear();
  });
  const enter = async (peer: TestPeer) => {
    peers.push(peer);
    return { peer, joined: await peer.join() };
  };

  test.skipIf(by.version === undefined)(
    'rooms are spread over them, peers of a room meet, and one host that dies affects no room of the other',
    async () => {
      const addresses = [`127.0.0.2:${await freePort()}`, `127.0.0.3:${await freePort()}`];
      const [first = '', second = ''] = addresses;
      const start = (address: string) => here.start([kind === 'uwsgi' ? '--socket' : '--http-socket', address]);
      const programs = addresses.map(start);
      for (const program of programs) await program.logged('listening');
      const nginx = await startNginx({ by, app: { kind, address: first }, words: ['--upstream', second] });
      onTestFinished(() => nginx.stop());
      const rooms = Array.from({ length: 16 }, (_, index) => `r${index}`);
      for (const room of rooms) {
        const [{ peer: a }, { peer: b, joined }] = [
          await enter(new WebSocketPeer(nginx.url, room)),
          await enter(new HttpPeer(nginx.url, room)),
        ];
        expect([room, joined.peers.length]).toEqual([room, 1]);
        await b.send({ type: 'chat', text: room });
        expect(await a.inbox.take('chat')).toMatchObject({ text: room });
      }
      const found = async () => Promise.all(rooms.map(async (room) => (await ask(nginx, `/rooms/${room}`)).status));
      expect(new Set(await found())).toEqual(new Set([200]));
      const [, dying] = programs;
      dying?.child.kill('SIGKILL');
      await dying?.exited;
      const after = await found();
      expect(new Set(after)).toEqual(new Set([200, 502]));
      const alive = rooms.findIndex((_, index) => after[index] === 200);
      const witness = peers[2 * alive];
      await peers[2 * alive + 1]?.send({ type: 'chat', text: 'still here' });
      expect(await witness?.inbox.take('chat')).toMatchObject({ text: 'still here' });
      const successor = start(second);
      await successor.logged('listening');
      expect(new Set(await found())).toEqual(new Set([200]));
    },
  );

  test.skipIf(by.version === undefined)(
    'host names are written in the form that this version resolves at run time',
    async () => {
      const words = ['--upstream', 'localhost:3032', '--resolver', '127.0.0.1'];
      const prefix = await prepare({ by, app: { kind, address: 'localhost:3031' }, words, port: await freePort() });
      const { code, output } = testConfiguration(prefix, by);
      await rm(prefix, { recursive: true });
      expect([code, output]).toEqual([0, expect.not.stringMatching(/\[(warn|emerg|alert|error)\]/)]);
    },
  );
});
