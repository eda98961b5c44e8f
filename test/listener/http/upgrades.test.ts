/**
 * Every response to a WebSocket handshake but 101 closes its connection, in the common error format, on every listener; and so does
 * stopping the app.
 */
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { load } from '../../../app/config/load.ts';
import { shorten } from '../../../app/logging/format.ts';
import { extraDescriptors } from '../../../app/process/busy-accepts.ts';
import { serve } from '../../../app/serve.ts';
import { securityHeaders } from '../../../app/web/security-headers.ts';
import { type Address, readAnswer } from '../uwsgi/client.ts';
import { eventually } from '../uwsgi/finish.ts';
import { headOf, type Kind } from './listener.ts';

const listeners = ['http', 'http-socket', 'http-socket on unix', 'socket', 'socket on unix'] as const;
type Listener = (typeof listeners)[number];
const kindOf = (listener: Listener): Kind =>
  listener === 'http' ? 'http' : listener.startsWith('s') ? 'socket' : 'http-socket';

const start = async (more: string[] = []) => {
  const directory = mkdtempSync(join(tmpdir(), 'genkan-test-'));
  const [unix, httpUnix] = [join(directory, 'app.sock'), join(directory, 'http.sock')];
  const any = '127.0.0.1:0';
  const flags = ['--http', any, '--http-socket', any, '--http-socket', httpUnix, '--socket', any, '--socket', unix];
  const loaded = load([...flags, '--allowed-hosts', 'meet.example', '--drain-timeout', '1', ...more], {});
  if ('faults' in loaded) throw new Error(loaded.faults.join('; '));
  const logs: Record<string, unknown>[] = [];
  const logger = pino({ base: null }, { write: (line: string) => logs.push(JSON.parse(line)) });
  const running = await serve(loaded.settings, logger);
  const [http = 0, httpSocket = 0, , socket = 0] = running.listening.map(({ address }) =>
    Number(address.split(':').at(-1)),
  );
  const addresses: Record<Listener, Address> = {
    http,
    'http-socket': httpSocket,
    'http-socket on unix': httpUnix,
    socket,
    'socket on unix': unix,
  };
  const counted = async (line: string): Promise<number> => {
    const { text } = await running.readings.metrics();
    return Number(
      text
        .split('\n')
        .find((one) => one.startsWith(`genkan_${line} `))
        ?.split(' ')[1] ?? 0,
    );
  };
  const stop = async () => {
    await running.stop();
    rmSync(directory, { recursive: true, force: true });
  };
  return { addresses, logs, counted, running, stop };
};

type Site = Awaited<ReturnType<typeof start>>;
let site: Site;
let quiet = 0;
beforeAll(async () => {
  site = await start();
  const before = openSockets();
  // A busy server listens on further descriptors, once: these must not count as connections.
  // Node wraps the descriptor of a unix socket in a second handle.
  const handles = site.running.listening.map(({ address }) => extraDescriptors * (address.startsWith('/') ? 2 : 1));
  await eventually(() => {
    const until = performance.now() + 500;
    while (openSockets() === before && performance.now() < until);
    expect(openSockets()).toBe(before + handles.reduce((sum, count) => sum + count));
  });
  quiet = openSockets();
});
afterAll(() => site.stop());

const upgrade = {
  Host: 'meet.example',
  Connection: 'Upgrade',
  Upgrade: 'websocket',
  'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25jZQ==',
  'Sec-WebSocket-Version': '13',
};
const handshake = (kind: Kind, url: string, headers: Record<string, string> = {}): Buffer =>
  headOf(kind, { url, headers: { ...upgrade, ...headers } });

type Refused = { url: string; headers?: Record<string, string>; status: number; code: string };
const refused: Record<string, Refused> = {
  'a broken escape': { url: '/rooms/%FF/ws', status: 400, code: 'bad-request' },
  'a broken escape below /js': { url: '/js/%FF', status: 400, code: 'bad-request' },
  'a very long parameter': { url: `/rooms/${'a'.repeat(2000)}/ws`, status: 414, code: 'bad-request' },
  'a key that is none': { url: '/rooms/a/ws', headers: { 'Sec-WebSocket-Key': 'x' }, status: 400, code: 'bad-request' },
  'an older draft': { url: '/rooms/a/ws', headers: { 'Sec-WebSocket-Version': '8' }, status: 400, code: 'bad-request' },
  'a list of protocols that is none': {
    url: '/rooms/a/ws',
    headers: { 'Sec-WebSocket-Protocol': 'a,,b' },
    status: 400,
    code: 'bad-request',
  },
  'the page': { url: '/', status: 404, code: 'not-found' },
  'a file': { url: '/js/genkan.js', status: 404, code: 'not-found' },
  'a page by its room': { url: '/rooms/a', status: 404, code: 'not-found' },
  'what only takes posts': { url: '/rooms/a/join', status: 404, code: 'not-found' },
  'an event stream': {
    url: '/rooms/a/events?after=0',
    headers: { Accept: 'text/event-stream' },
    status: 404,
    code: 'not-found',
  },
  'what operators ask': { url: '/healthz', status: 404, code: 'not-found' },
  nothing: { url: '/nowhere', status: 404, code: 'not-found' },
};
/** Refused by the listener, before the app. */
const unfit: Record<string, Refused> = {
  'another host': { url: '/rooms/a/ws', headers: { Host: 'evil.example' }, status: 421, code: 'unknown-host' },
};
/** Accepted only to send the reason: a browser cannot see a refused handshake. */
const turnedAway: Record<string, Refused> = {
  'a foreign origin': {
    url: '/rooms/a/ws',
    headers: { Origin: 'https://evil.example' },
    status: 101,
    code: 'origin-refused',
  },
  'a bad room name': { url: '/rooms/a%20b/ws', status: 101, code: 'bad-room-name' },
};

const everything = { ...refused, ...unfit, ...turnedAway };

/** What a client does with the response. */
const manners: Record<string, (socket: Socket, head: Buffer) => void> = {
  'closes after the answer': (socket, head) => void socket.once('data', () => socket.end()).write(head),
  'closes its side at once': (socket, head) => void socket.resume().end(head),
  'never closes': (socket, head) => void socket.resume().write(head),
  'never reads': (socket, head) => void socket.pause().write(head),
  'sends on': (socket, head) => void socket.resume().write(Buffer.concat([head, Buffer.alloc(100_000)])),
};

const dial = (address: Address): Socket => {
  const options = typeof address === 'string' ? { path: address } : { port: address, host: '127.0.0.1' };
  return connect({ ...options, allowHalfOpen: true }).on('error', () => {});
};

/** Sockets of this process, of both sides, without listening ones. */
const openSockets = (): number =>
  process.getActiveResourcesInfo().filter((name) => name === 'TCPSocketWrap' || name === 'PipeWrap').length;

const ask = async (address: Address, head: Buffer): Promise<Buffer> => {
  const socket = dial(address);
  const chunks: Buffer[] = [];
  socket
    .on('end', () => socket.end())
    .on('data', (chunk: Buffer) => {
      chunks.push(chunk);
      // The close frame of a refused WebSocket.
      if (chunk.includes('"bye"')) socket.end();
    });
  socket.write(head);
  await once(socket, 'close');
  return Buffer.concat(chunks);
};

describe.each(listeners)('--%s', (listener) => {
  const kind = kindOf(listener);
  const requests = (status: string) => site.counted(`requests_total{listener="${kind}",status="${status}"}`);
  const send = ({ url, headers }: Refused) => ask(site.addresses[listener], handshake(kind, url, headers));

  test('a refused handshake is answered, logged and counted like a request', async () => {
    const before = [await requests('4xx'), await requests('1xx')];
    const asked = Object.values(refused);
    const answers = (await Promise.all(asked.map(send))).map(readAnswer);
    for (const [at, { url, status, code }] of asked.entries()) {
      const { headers, body, ...answer } = answers[at] ?? expect.fail();
      expect([url, answer.status, headers.connection, JSON.parse(body.toString())]).toEqual([
        url,
        status,
        'close',
        { type: 'error', code, message: expect.any(String) },
      ]);
      expect(headers).toMatchObject(securityHeaders);
      const logged = site.logs.filter((line) => line.reqId === headers['x-request-id']);
      expect(logged).toMatchObject([{ msg: 'request', method: 'GET', url: shorten(url), status }]);
    }
    expect([await requests('4xx'), await requests('1xx')]).toEqual([(before[0] ?? 0) + asked.length, before[1]]);
  });

  test('a client refused by the app gets the reason, and is logged and counted', async () => {
    const before = await requests('1xx');
    for (const asked of Object.values(turnedAway)) {
      const logged = site.logs.length;
      const text = (await send(asked)).toString('latin1');
      expect(text).toMatch(new RegExp(`^HTTP/1.1 101 .*"bye","code":"${asked.code}"`, 's'));
      expect(site.logs.slice(logged)).toMatchObject([{ msg: 'WebSocket rejected', code: asked.code }]);
    }
    expect(await requests('1xx')).toBe(before + 2);
  });

  const isSlow = !['http', 'unix'].includes(listener);
  test('no socket stays open, whatever the client does', { tags: isSlow ? ['slow'] : [] }, async () => {
    await eventually(() => expect(openSockets()).toBe(quiet));
    const clients = Object.values(manners).flatMap((behave) =>
      Object.values(everything).map(({ url, headers }) => {
        const socket = dial(site.addresses[listener]);
        behave(socket, handshake(kind, url, headers));
        return socket;
      }),
    );
    await Promise.all(clients.map((client) => client.connecting && once(client, 'connect')));
    // The remaining ones belong to clients here, and none to the server.
    const kept = () => clients.filter(({ destroyed }) => !destroyed).length;
    await eventually(() => expect(openSockets() - kept()).toBe(quiet));
    expect(kept()).toBeGreaterThan(0);
    for (const client of clients) client.destroy();
    await eventually(() => expect(openSockets()).toBe(quiet));
  });
});

describe('plain requests', () => {
  const paths: [string, number, string][] = [
    ['/rooms/%FF', 400, 'bad-request'],
    ['/js/%FF', 400, 'bad-request'],
    [`/rooms/${'a'.repeat(2000)}`, 414, 'bad-request'],
    ['//rooms/garden', 404, 'not-found'],
    ['/rooms', 404, 'not-found'],
    ['/garden', 404, 'not-found'],
  ];
  test.each(listeners)('an unknown URL gets an error in the common format by --%s', async (listener) => {
    const kind = kindOf(listener);
    for (const [url, status, code] of paths) {
      const series = `requests_total{listener="${kind}",status="4xx"}`;
      const before = await site.counted(series);
      const headers = { Host: 'meet.example', 'X-Forwarded-For': '203.0.113.9' };
      const vars: Record<string, string> = kind === 'socket' && url.startsWith('//') ? { PATH_INFO: url.slice(1) } : {};
      const answer = readAnswer(
        await ask(site.addresses[listener], headOf(kind, { url, headers, vars: kind === 'socket' ? vars : {} })),
      );
      expect([url, answer.status, JSON.parse(answer.body.toString())]).toEqual([
        url,
        status,
        { type: 'error', code, message: expect.any(String) },
      ]);
      expect(answer.headers).toMatchObject(securityHeaders);
      const ip = kind === 'http' ? '127.0.0.1' : kind === 'socket' ? '203.0.113.7' : '203.0.113.9';
      const reqId = answer.headers['x-request-id'];
      const logged = site.logs.filter((line) => line.reqId === reqId);
      expect(logged).toMatchObject([{ msg: 'request', status, url: shorten(url), ip }]);
      expect(await site.counted(series)).toBe(before + 1);
    }
  });

  test.each(['http', 'http-socket'] as const)('a handshake with a body is a plain request, by --%s', async (kind) => {
    const head = headOf(kind, {
      url: '/rooms/a/ws',
      headers: { ...upgrade, Connection: 'Upgrade, close' },
      body: 'hello',
    });
    const answer = readAnswer(await ask(site.addresses[kind], Buffer.concat([head, Buffer.from('hello')])));
    expect(answer.status).toBe(426);
  });

  test.each(['http', 'http-socket'] as const)(
    'a handshake waits for the response to a request before it, by --%s',
    async (kind) => {
      const join = headOf(kind, { method: 'POST', url: '/rooms/wait/join', headers: { Host: 'meet.example' } });
      const { session, seq } = JSON.parse(readAnswer(await ask(site.addresses[kind], join)).body.toString());
      const poll = headOf(kind, {
        url: `/rooms/wait/events?after=${seq}&wait=1`,
        headers: { Host: 'meet.example', Authorization: `Bearer ${session}`, Connection: 'keep-alive' },
      });
      const text = (
        await ask(
          site.addresses[kind],
          Buffer.concat([poll, handshake(kind, '/nowhere', { Connection: 'Upgrade, close' })]),
        )
      ).toString();
      expect(text.match(/HTTP\/1.1 \d+/g)).toEqual(['HTTP/1.1 200', 'HTTP/1.1 404']);
    },
  );
});

test('a stopping app ends with handshakes in every state', async () => {
  const other = await start();
  const before = openSockets();
  const clients = listeners.flatMap((listener) =>
    [...Object.values(everything), { url: '/rooms/a/ws', headers: {} }].map(({ url, headers }) => {
      const socket = dial(other.addresses[listener]).pause();
      socket.write(handshake(kindOf(listener), url, headers));
      return socket;
    }),
  );
  await eventually(async () => expect(await other.counted('websockets_open')).toBe(listeners.length));
  const stopped = performance.now();
  await other.stop();
  expect(performance.now() - stopped).toBeLessThan(5000);
  for (const client of clients) client.destroy();
  await eventually(() => expect(openSockets()).toBeLessThanOrEqual(before));
});

test('as many refused handshakes as max-connections do not block others', async () => {
  const small = await start(['--max-connections', '8']);
  for (const listener of listeners) {
    const kind = kindOf(listener);
    for (let round = 0; round < 12; round++) await ask(small.addresses[listener], handshake(kind, '/rooms/%FF/ws'));
    const page = await ask(small.addresses[listener], headOf(kind, { url: '/', headers: { Host: 'meet.example' } }));
    expect(readAnswer(page).status).toBe(200);
  }
  await small.stop();
});
