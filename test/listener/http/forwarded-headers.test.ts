/** The forwarded headers that a listener trusts, and the hosts it serves. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { describe, expect, test } from 'vitest';
import { allowedHosts } from '../../../app/listener/allowed-hosts.ts';
import { connectTo, readAll, readAnswer } from '../uwsgi/client.ts';
import type { Family } from '../uwsgi/listener.ts';
import { exchange, headOf, type Kind, kinds, listenAs, serveAs } from './listener.ts';

/** What the app behind a listener receives. */
const tell = (request: IncomingMessage, response: ServerResponse): void => {
  const { headers, url } = request;
  const seen = Object.entries(headers).filter(([name]) => /forwarded|real|^proxy/.test(name));
  response.end(JSON.stringify({ url, ...Object.fromEntries(seen) }));
};
type Asking = { headers?: Record<string, string>; url?: string; vars?: Record<string, string> };
const asked = async (kind: Kind, asking: Asking, proxies: string[] = []): Promise<Record<string, string>> => {
  const isProxy = (address: string) => proxies.includes(address);
  const { address } = await serveAs(kind, tell, { isProxy });
  return JSON.parse(readAnswer(await exchange(kind, address, asking)).body.toString());
};

const forged = {
  'X-Forwarded-For': '198.51.100.1',
  'X-Forwarded-Proto': 'https',
  'X-Forwarded-Host': 'evil.example',
  'X-Forwarded-Prefix': '/evil',
  'X-Forwarded-Port': '1',
  'X-Forwarded': '1',
  'X-Real-IP': '198.51.100.1',
  Forwarded: 'for=198.51.100.1',
  Proxy: 'http://evil.example',
};

describe('--http', () => {
  test('trusts no forwarded header', async () => {
    expect(await asked('http', { headers: forged })).toEqual({ url: '/' });
  });
});

describe('--http-socket', () => {
  const by = (chain: string, proxies: string[] = []) =>
    asked('http-socket', { headers: { 'X-Forwarded-For': chain } }, proxies);

  test('passes on the headers of the front end, and no other', async () => {
    expect(await asked('http-socket', { headers: { ...forged, 'X-Forwarded-Prefix': '/meet/' } })).toEqual({
      url: '/',
      'x-forwarded-for': '198.51.100.1',
      'x-forwarded-proto': 'https',
      'x-forwarded-host': 'evil.example',
      'x-forwarded-port': '1',
      'x-forwarded-prefix': '/meet',
    });
  });

  test.each([
    ['203.0.113.9', [], '203.0.113.9'],
    ['198.51.100.1, 203.0.113.9', [], '203.0.113.9'],
    ['198.51.100.1,203.0.113.9 ,  10.0.0.2', ['10.0.0.2'], '203.0.113.9'],
    ['198.51.100.1, 203.0.113.9, 10.0.0.3, 10.0.0.2', ['10.0.0.2', '10.0.0.3'], '203.0.113.9'],
    ['10.0.0.3, 10.0.0.2', ['10.0.0.2', '10.0.0.3'], '10.0.0.3'],
    ['198.51.100.1, nonsense, 10.0.0.2', ['10.0.0.2'], '10.0.0.2'],
    ['198.51.100.1, , 10.0.0.2', ['10.0.0.2'], '10.0.0.2'],
    ['203.0.113.9:4711', [], '203.0.113.9'],
    ['[2001:db8::7]:4711', [], '2001:db8::7'],
    ['2001:db8::7', [], '2001:db8::7'],
    ['198.51.100.1, nonsense', [], undefined],
    ['unknown', [], undefined],
    ['', [], undefined],
  ])('with the chain %j and the proxies %j, the client is %s', async (chain, proxies, client) => {
    expect((await by(chain, proxies))['x-forwarded-for']).toBe(client);
  });

  test('takes scheme, host and port from the hop next to the client', async () => {
    const headers = {
      'X-Forwarded-For': '198.51.100.1, 203.0.113.9, 10.0.0.2',
      'X-Forwarded-Proto': 'ftp, https, http',
      'X-Forwarded-Host': 'evil.example, meet.example, inner.example',
      'X-Forwarded-Port': '1, 8443, 80',
    };
    const nearest = { 'x-forwarded-proto': 'https', 'x-forwarded-host': 'meet.example', 'x-forwarded-port': '8443' };
    expect(await asked('http-socket', { headers }, ['10.0.0.2'])).toMatchObject(nearest);
    const one = { 'X-Forwarded-Proto': 'https', 'X-Forwarded-Host': 'meet.example', 'X-Forwarded-Port': '8443' };
    expect(await asked('http-socket', { headers: { ...headers, ...one } }, ['10.0.0.2'])).toMatchObject(nearest);
  });

  test.each([
    [{ 'X-Forwarded-Proto': 'ftp' }],
    [{ 'X-Forwarded-Host': 'a b' }],
    [{ 'X-Forwarded-Host': 'a/b' }],
    [{ 'X-Forwarded-Port': '' }],
    [{ 'X-Forwarded-Port': '0' }],
    [{ 'X-Forwarded-Port': '65536' }],
    [{ 'X-Forwarded-Port': '80a' }],
    [{ 'X-Forwarded-Prefix': 'meet' }],
    [{ 'X-Forwarded-Prefix': '/a/../b' }],
    [{ 'X-Forwarded-Prefix': '//evil.example' }],
    [{ 'X-Forwarded-Prefix': '/' }],
    [{ 'X-Forwarded-Prefix': '/a"><script>' }],
  ])('ignores %j', async (headers) => {
    expect(await asked('http-socket', { headers })).toEqual({ url: '/' });
  });

  test('closes and logs a TCP peer outside allow-from; a peer on a unix socket is not checked', async () => {
    const { address, lines } = await listenAs('http-socket', { allowFrom: () => false });
    const socket = connectTo(address).on('error', () => {});
    socket.write(headOf('http-socket'));
    expect(await readAll(socket).catch(() => Buffer.alloc(0))).toHaveLength(0);
    expect(lines).toMatchObject([{ fields: { peer: '127.0.0.1' }, message: expect.stringContaining('--allow-from') }]);
    const unix = await serveAs('http-socket', tell, { allowFrom: () => false }, 'unix');
    expect(readAnswer(await exchange('http-socket', unix.address)).status).toBe(200);
  });
});

describe('a path prefix', () => {
  const prefixed = (kind: Kind, url: string, prefix: string) =>
    kind === 'socket'
      ? asked(kind, { url, vars: { SCRIPT_NAME: prefix } })
      : asked(kind, { url, headers: { 'X-Forwarded-Prefix': prefix } });

  test.each(['http-socket', 'socket'] as const)('is removed from the URL and reported, by --%s', async (kind) => {
    for (const [url, prefix, rest] of [
      ['/meet/rooms/x?a=/meet', '/meet', '/rooms/x?a=/meet'],
      ['/meet', '/meet', '/'],
      ['/meet?a', '/meet', '/?a'],
      ['/meet/', '/meet', '/'],
      ['/meet/a%2Fb', '/meet', '/a%2Fb'],
      ['/%6deet/x', '/meet', '/x'],
      ['/a/b/c', '/a/b', '/c'],
      ['/rooms/x', '/meet', '/rooms/x'],
      ['/meeting', '/meet', '/meeting'],
    ] as const) {
      const seen = await prefixed(kind, url, prefix);
      expect([url, seen.url, seen['x-forwarded-prefix']]).toEqual([url, rest, prefix]);
    }
  });

  test('is ignored by --http', async () => {
    expect(await prefixed('http', '/meet/x', '/meet')).toEqual({ url: '/meet/x' });
  });
});

describe('allowed-hosts', () => {
  const serves = allowedHosts(['meet.example', '*.rooms.example', 'exact.example:8443', '[2001:db8::1]']);
  test.each([
    ['meet.example', true],
    ['MEET.Example', true],
    ['meet.example.', true],
    ['meet.example:8080', true],
    ['meet.example.:8080', true],
    ['a.rooms.example', true],
    ['a.b.rooms.example:1', true],
    ['exact.example:8443', true],
    ['[2001:db8::1]:80', true],
    ['exact.example', false],
    ['exact.example:1', false],
    ['rooms.example', false],
    ['evilrooms.example', false],
    ['meet.example.evil.example', false],
    ['xmeet.example', false],
    ['localhost', false],
    ['', false],
    [undefined, false],
  ])('%j: %s', (host, served) => {
    expect(serves(host, '203.0.113.7')).toBe(served);
  });

  test('localhost is served to this machine, for health checks', () => {
    for (const host of ['localhost:9090', '127.0.0.1', '[::1]:80']) {
      expect(serves(host, '127.0.0.1')).toBe(true);
      expect(serves(host, '::1')).toBe(true);
      expect(serves(host, '203.0.113.7')).toBe(false);
    }
    expect(serves('evil.example', '127.0.0.1')).toBe(false);
  });

  test('every host is served if none is set', () => {
    expect(allowedHosts([])('anything', '203.0.113.7')).toBe(true);
    expect(allowedHosts([])(undefined, '203.0.113.7')).toBe(true);
  });

  test.each(kinds.flatMap((kind) => (['tcp', 'unix'] as Family[]).map((family) => [kind, family] as const)))(
    'an unknown host by --%s on %s gets 421, also for a WebSocket',
    async (kind, family) => {
      const { address, lines, server } = await serveAs(
        kind,
        tell,
        { answersFor: allowedHosts(['meet.example']) },
        family,
      );
      server.on('upgrade', () => expect.unreachable());
      const ask = async (headers: Record<string, string>) => {
        const answer = readAnswer(await exchange(kind, address, { headers }));
        return [answer.status, answer.status === 200 ? '' : JSON.parse(answer.body.toString()).code];
      };
      expect(await ask({ Host: 'meet.example' })).toEqual([200, '']);
      expect(await ask({ Host: 'evil.example' })).toEqual([421, 'unknown-host']);
      expect(await ask({ Host: 'evil.example', Connection: 'Upgrade', Upgrade: 'websocket' })).toEqual([
        421,
        'unknown-host',
      ]);
      expect(lines).toHaveLength(2);
      expect(lines[0]).toMatchObject({ fields: { code: 'unknown-host', status: 421 } });
    },
  );

  test('the host reported by the front end counts, by --http-socket', async () => {
    const { address } = await serveAs('http-socket', tell, { answersFor: allowedHosts(['meet.example']) });
    const status = async (headers: Record<string, string>) =>
      readAnswer(await exchange('http-socket', address, { headers })).status;
    expect(await status({ Host: 'backend:9090', 'X-Forwarded-Host': 'meet.example' })).toBe(200);
    expect(await status({ Host: 'meet.example', 'X-Forwarded-Host': 'evil.example' })).toBe(421);
  });
});
