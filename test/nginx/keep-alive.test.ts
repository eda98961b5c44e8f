/** Connections that nginx keeps open to the app: in every mode by HTTP, closed by nginx before the app, and no client's own. */
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, describe, expect, onTestFinished, test } from 'vitest';
import { idleTimeWarnings, nginxFiles } from '../../app/commands/nginx.ts';
import { load } from '../../app/config/load.ts';
import { WebSocketPeer } from '../../app/conform/peers.ts';
import { idleTime } from '../../app/nginx/workers.ts';
import { serveAs } from '../listener/http/listener.ts';
import { nginxes } from '../setup/nginxes.ts';
import { pairwise } from '../setup/pairwise.ts';
import { isThorough } from '../setup/without.ts';
import { startSite } from '../signaling/site.ts';
import { ask, post } from './ask.ts';
import { cases, certificate, frontOf, host, targetOf } from './modes.ts';
import { type Front, type Nginx, startNginx } from './nginx.ts';

const files = certificate();
afterAll(() => files.remove());

/** One worker of nginx: each keeps its own connections. */
const oneWorker = (_: string, text: string): string => text.replace('worker_processes auto', 'worker_processes 1');
const start = async (front: Front): Promise<Nginx> => {
  const nginx = await startNginx({ ...front, spoil: oneWorker });
  onTestFinished(() => nginx.stop());
  return nginx;
};

/** Every connection that the listener accepts. */
const watch = (server: Server): Set<Socket> => {
  const sockets = new Set<Socket>();
  server.on('connection', (socket) => sockets.add(socket));
  return sockets;
};
const respond = (request: IncomingMessage, response: ServerResponse): void => {
  request.resume().on('end', () => response.end('{}'));
};
const addressFor = (address: unknown): string => (typeof address === 'number' ? `127.0.0.1:${address}` : `${address}`);

const all = nginxes.flatMap((by) =>
  (['tcp', 'unix'] as const).flatMap((over) => [1, 2].map((servers) => ({ by, over, servers }))),
);
const fronts = isThorough ? all : pairwise(all, [({ by }) => by, ({ over }) => over, ({ servers }) => servers]);
const modes = cases(files);
/** Every mode and every front; in `npm run test:all` every combination. */
const reusing = isThorough
  ? fronts.flatMap((front) => modes.map((mode) => ({ ...front, mode })))
  : modes.flatMap((mode, nth) =>
      fronts
        .slice(nth % fronts.length)
        .slice(0, 1)
        .map((front) => ({ ...front, mode })),
    );

describe.each(reusing)('$by.name, $mode.name, over $over, $servers servers', ({ by, mode, over, servers }) => {
  test.skipIf(by.version === undefined)('requests one after another use one connection to each server', async () => {
    const listeners = await Promise.all(
      Array.from({ length: servers }, () => serveAs('http-socket', respond, {}, over)),
    );
    const connections = listeners.map(({ server }) => watch(server));
    const [first = '', ...others] = listeners.map(({ address }) => addressFor(address));
    const words = [...(mode.words ?? []), ...others.flatMap((address) => ['--upstream', address])];
    const nginx = await start({ ...frontOf(mode), by, app: { kind: 'http', address: first }, words });
    const target = targetOf(mode, nginx.port, files.chain);
    for (let count = 0; count < 8; count += 1)
      for (const path of [`rooms/r${count}`, `rooms/r${count}/messages`, `rooms/r${count}/join`])
        expect((await ask(target, mode.base + path, count % 2 ? post('{}') : {})).status).toBe(200);
    for (const accepted of connections) expect(accepted.size).toBeLessThanOrEqual(1);
  });
});

describe.each(nginxes)('$name', (by) => {
  /** Seconds after which the listener closes idle connections, nginx in half the time. */
  const keepAlive = 1;
  const words = ['--keep-alive-timeout', String(keepAlive)];
  const together = 40;

  test.skipIf(by.version === undefined).each(['tcp', 'unix'] as const)(
    'no POST meets a closing connection, at 0.99 to 1.01 of the idle times of nginx and of the app, over %s',
    async (over) => {
      // Responses wait for each other, so that each request has a connection of its own.
      const waiting: ServerResponse[] = [];
      const collect = (request: IncomingMessage, response: ServerResponse) => {
        request.resume();
        if (waiting.push(response) === together) for (const one of waiting.splice(0)) one.end('{}');
      };
      const { server, address } = await serveAs('http-socket', collect, { keepAliveTimeout: keepAlive * 1000 }, over);
      const connections = watch(server);
      let timedOut = 0;
      server.on('timeout', (socket: Socket) => {
        timedOut += 1;
        socket.destroy();
      });
      // nginx keeps as many idle connections as there are requests.
      const spoil = (path: string, text: string) =>
        oneWorker(path, text.replace('keepalive 32', `keepalive ${together}`));
      const nginx = await startNginx({ by, app: { kind: 'http', address: addressFor(address) }, words, spoil });
      onTestFinished(() => nginx.stop());
      /** The statuses of so many requests, each later than the one before, after 0.99 to 1.01 of `seconds`. */
      const round = (seconds: number) =>
        Promise.all(
          Array.from({ length: together }, async (_, nth) => {
            await sleep(1000 * seconds * (0.99 + (0.02 * nth) / (together - 1)));
            return (await ask(nginx, '/rooms/r/messages', post('{}'))).status;
          }),
        );
      for (const idle of [0, idleTime(keepAlive), keepAlive]) {
        expect([idle, new Set(await round(idle))]).toEqual([idle, new Set([200])]);
      }
      // nginx closes them, before the app's own timeout.
      await expect.poll(() => [...connections].every(({ destroyed }) => destroyed)).toBe(true);
      expect(timedOut).toBe(0);
    },
  );

  test.skipIf(by.version === undefined)(
    'a connection carries many clients, and the faults of one are not those of others',
    async () => {
      const limits = ['--refusal-burst', '5', '--refusal-rate', '1', '--max-connections', '8'];
      const site = await startSite([...limits, '--max-connections-per-address', '1']);
      onTestFinished(() => site.stop());
      const proxied = ['--mode', 'behind-proxy', '--trusted-proxy', '127.0.0.1'];
      const nginx = await start({ by, app: { kind: 'http', address: site.addresses['http-socket'] }, words: proxied });
      const join = async (client: string, body: string, room = 'r') => {
        const headers = { Host: host, 'Content-Type': 'application/json', 'X-Forwarded-For': client };
        return (await ask(nginx, `/rooms/${room}/join`, { method: 'POST', headers, body })).status;
      };
      const offender: number[] = [];
      while (offender.length < 7) {
        offender.push(await join('203.0.113.7', '{'));
        expect(await join('203.0.113.8', '{}', `r${offender.length}`)).toBe(200);
      }
      expect(offender).toEqual([400, 400, 400, 400, 400, 429, 429]);
      // Each of these clients could have no second connection, and all of them not more than eight.
      for (let client = 1; client <= 20; client += 1)
        expect(await join(`198.51.100.${client}`, '{}', `s${client}`)).toBe(200);
      // WebSockets end with their connections, and take none of those of others.
      for (let count = 0; count < 12; count += 1) {
        const peer = new WebSocketPeer(nginx.url, `w${count}`);
        await peer.join();
        peer.dispose();
        expect(await join('203.0.113.8', '{}', `w${count}`)).toBe(200);
      }
      expect(site.logs.filter(({ msg }) => /connection limit/.test(String(msg)))).toEqual([]);
    },
  );
});

describe('check-config --nginx warns of connections that nginx keeps longer than the app', () => {
  const settingsOf = (...words: string[]) => {
    const loaded = load(words, {});
    if ('faults' in loaded) throw new Error(loaded.faults.join('; '));
    return loaded.settings;
  };
  const warnings = (block: string, version = '1.30.6', words = ['--http-socket', '127.0.0.1:3031']) => {
    const dump = `http {\n# upstream old { server 127.0.0.1:3031; keepalive 8; keepalive_timeout 2h; }\nupstream meet {${block}}\n}`;
    return idleTimeWarnings(dump, settingsOf(...words), () => `nginx version: nginx/${version}`);
  };
  const app = 'server 127.0.0.1:3031 max_fails=0;\n';
  const unix = ['--http-socket', '/run/g.%w.sock', '--processes', '2', '--keep-alive-timeout', '30'];

  test.each([
    [`${app} keepalive 8; keepalive_timeout 75s;`, '75 s'],
    [`keepalive_timeout 1m30s; ${app} keepalive 8;`, '90 s'],
    [`${app} keepalive_timeout 100000ms;`, '100 s'],
  ])('%s', (block, time) => {
    expect(warnings(block)).toEqual([
      expect.stringContaining(`upstream meet keeps idle connections for ${time}, the app for 75 s`),
    ]);
  });
  test('by default nginx keeps them for 60 s, since 1.29.7', () => {
    const block = 'server unix:/run/g.2.sock;';
    expect(warnings(block, '1.29.7', unix)).toHaveLength(1);
    expect(warnings(block, '1.29.6', unix)).toEqual([]);
    expect(warnings(`${block} keepalive 4;`, '1.22.1', unix)).toHaveLength(1);
  });
  test.each([
    `${app} keepalive 8; keepalive_timeout 60s; # keepalive_timeout 99s;`,
    `${app} keepalive 0; keepalive_timeout 99s;`,
    'server 127.0.0.1:8080; keepalive 8; keepalive_timeout 99s;',
    app,
  ])('but not of %s', (block) => {
    expect(warnings(block)).toEqual([]);
  });
  test('and not of the files of genkan nginx', () => {
    const words = ['--http-socket', '127.0.0.1:3031', '--keep-alive-timeout', '1'];
    const found = nginxFiles([...words, '--nginx-version', '1.30.6'], {});
    const dump = 'files' in found ? [...found.files.values()].join('\n') : '';
    expect(dump).toContain('server 127.0.0.1:3031;');
    expect(idleTimeWarnings(dump, settingsOf(...words), () => 'nginx/1.30.6')).toEqual([]);
  });
});

test('nginx always closes an idle connection before the app', () => {
  const all = Array.from({ length: 3600 }, (_, index) => index + 1);
  const isLate = (seconds: number) => idleTime(seconds) > Math.min(60, Math.max(seconds / 2, seconds - 5));
  expect(all.filter((seconds) => isLate(seconds) || idleTime(seconds) <= 0)).toEqual([]);
});
