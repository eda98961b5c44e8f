/** The origins that may use the rooms: the rule by itself, then WebSockets and CORS on every listener. */
import { once } from 'node:events';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import WebSocket from 'ws';
import { load } from '../../app/config/load.ts';
import { errors } from '../../app/protocol/errors.ts';
import { protocolVersion } from '../../app/protocol/messages.ts';
import { originPolicy, whyNot } from '../../app/web/allowed-origins.ts';
import { exchange, type Kind } from '../listener/http/listener.ts';
import { readAnswer } from '../listener/uwsgi/client.ts';
import { type Site, startSite } from '../signaling/site.ts';

describe('the origin rule', () => {
  const mayUse = originPolicy([
    'https://App.Example:443',
    'http://localhost:5173',
    'https://*.meet.example',
    'https://*.port.example:8443',
  ]);
  const asked = { site: undefined, scheme: 'https', host: 'This.Example:8080', port: undefined };
  test.each([
    [undefined, true],
    ['https://app.example', true],
    ['https://app.example:443', true],
    ['http://app.example', false],
    ['https://app.example:444', false],
    ['https://app.example.evil.example', false],
    ['https://evilapp.example', false],
    ['http://localhost:5173', true],
    ['http://localhost', false],
    ['https://a.meet.example', true],
    ['https://a.b.meet.example', true],
    ['https://meet.example', false],
    ['http://a.meet.example', false],
    ['https://a.meet.example:8443', false],
    ['https://ameet.example', false],
    ['https://a.meet.example.evil.example', false],
    ['https://a.port.example:8443', true],
    ['https://a.port.example', false],
    ['https://this.example:8080', true],
    ['https://this.example', false],
    ['null', false],
    ['', false],
    ['*', false],
    ['https://', false],
    ['file://', false],
  ])('for %j is %j', (origin, allowed) => {
    expect(mayUse({ ...asked, origin })).toBe(allowed);
  });

  test.each([
    ['same-origin', 'https://this.example:8080', true],
    ['same-origin', 'https://behind.example', true],
    ['same-origin', 'null', true],
    ['same-site', 'https://this.example:8080', false],
    ['cross-site', 'https://this.example:8080', false],
    ['none', 'https://this.example:8080', false],
    ['same-origin, same-origin', 'https://this.example:8080', false],
    ['cross-site', 'https://app.example', true],
    ['same-site', 'https://a.meet.example', true],
    ['cross-site', 'null', false],
    ['cross-site', undefined, true],
  ])('with Sec-Fetch-Site %s, for %j is %j', (site, origin, allowed) => {
    expect(mayUse({ ...asked, site, origin })).toBe(allowed);
  });

  // The request, and the origins that count as its own.
  test.each([
    ['http', 'h.example', undefined, ['http://h.example', 'https://h.example']],
    ['https', 'h.example', undefined, ['https://h.example']],
    ['https', 'h.example:443', undefined, ['https://h.example']],
    ['http', 'h.example:80', undefined, ['http://h.example', 'https://h.example:80']],
    // TLS may have ended at a proxy.
    ['http', 'h.example:443', undefined, ['http://h.example:443', 'https://h.example']],
    ['https', 'h.example:8081', undefined, ['https://h.example:8081']],
    ['http', 'h.example:8081', undefined, ['http://h.example:8081', 'https://h.example:8081']],
    // The front end's port applies to a Host without one, which may also have lost none.
    ['http', 'h.example:8081', 9000, ['http://h.example:8081', 'https://h.example:8081']],
    [
      ...(['http', 'h.example', 8081] as const),
      ['http://h.example', 'http://h.example:8081', 'https://h.example', 'https://h.example:8081'],
    ],
    ['https', 'h.example', 8081, ['https://h.example', 'https://h.example:8081']],
    ['https', 'H.Example', 443, ['https://h.example']],
    ['https', 'h.example:', undefined, ['https://h.example']],
    ['http', 'h example', 8081, []],
    ['http', '', 8081, []],
  ])('for a %s request to %s, through port %s', (scheme, host, port, own) => {
    const schemes = ['http', 'https', 'ftp', 'ws', 'moz-extension', 'chrome-extension', 'HTTP'];
    const ends = ['', ':80', ':443', ':8081', ':9000'];
    const pages = schemes.flatMap((one) => ends.map((end) => `${one}://h.example${end}`));
    const serves = (origin: string) => mayUse({ origin, site: undefined, scheme, host, port });
    const served = new Set(pages.filter(serves).map((page) => new URL(page).origin));
    expect([...served].sort()).toEqual(own);
    const strangers = [':8081/', '/', '/a', ':8081?a', '.evil.example', '.', '@evil.example'];
    expect(strangers.filter((end) => serves(`${scheme}://h.example${end}`))).toEqual([]);
    expect(serves(`${scheme}://a@h.example`)).toBe(false);
  });

  test.each([
    ['[2001:DB8::1]:8081', undefined, 'http://[2001:db8::1]:8081', true],
    ['[2001:db8::1]', 8081, 'http://[2001:db8::1]:8081', true],
    ['[2001:db8::1]', undefined, 'http://[2001:db8::1]:8081', false],
    ['192.0.2.1', 8081, 'http://192.0.2.1:8081', true],
  ])('for an IP address, %s through port %s, origin %s: %s', (host, port, origin, allowed) => {
    expect(mayUse({ origin, site: undefined, scheme: 'http', host, port })).toBe(allowed);
  });

  test.each([
    [{ origin: 'http://h.example:8081', host: 'h.example' }, /front end has lost the port of Host/],
    [
      { origin: 'http://h.example:8081', host: 'h.example', port: 9000 },
      /port 9000 .*front end has lost the port of Host/,
    ],
    [{ origin: 'https://h.example', host: 'h.example:8081' }, /Origin has no port; the front end must pass Host on/],
    [
      { origin: 'http://h.example:9000', host: 'h.example:8081' },
      /Origin has port 9000; the front end must pass Host on/,
    ],
    [
      { origin: 'http://o.example:9000', host: 'h.example' },
      /^the page is from http:..o.example:9000, this server is http:..h.example$/,
    ],
    [{ origin: 'ftp://h.example:8081', host: 'h.example' }, /h.example$/],
    [{ origin: 'http://h.example:8081', host: 'h.example', scheme: 'https' }, /https:..h.example$/],
    [{ origin: 'http://h.example:9000', host: 'h.example', site: 'same-site' }, /the browser reports it as same-site/],
  ])('gives the reason: %j', (asked, why) => {
    expect(whyNot({ site: undefined, scheme: 'http', port: undefined, ...asked })).toMatch(why);
  });

  test.each(['*', 'null', 'https://*', 'https://a.*.example', 'https://meet.example/', 'meet.example', 'https://a?b'])(
    'rejects the setting %s',
    (entry) => {
      expect(load(['--allowed-origins', entry], {})).toMatchObject({
        faults: [expect.stringContaining('--allowed-origins: must be an origin such as')],
      });
    },
  );
});

describe('on the running server', () => {
  let site: Site;
  beforeAll(async () => {
    site = await startSite([
      ...['--allowed-origins', 'https://app.example', '--allowed-origins', 'https://*.meet.example'],
      ...['--join-burst', '90', '--join-rate', '1'],
    ]);
  });
  afterAll(() => site.stop());

  const corsOf = (answer: Response): Record<string, string> =>
    Object.fromEntries([...answer.headers].filter(([name]) => name.startsWith('access-control-')));
  const variesByOrigin = (answer: Response) => /(^|,\s*)origin(,|$)/i.test(answer.headers.get('vary') ?? '');
  const base = (way: keyof Site['direct']) => site.direct[way];
  const ask = (url: string, origin: string, init: RequestInit = {}) =>
    fetch(url, { ...init, headers: { origin, ...init.headers } });
  const preflight = (url: string, origin: string, method = 'POST') =>
    ask(url, origin, {
      method: 'OPTIONS',
      headers: {
        'access-control-request-method': method,
        'access-control-request-headers': 'authorization,content-type',
      },
    });
  const post = (url: string, origin: string) =>
    ask(url, origin, { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{}' });

  describe.each(['http', 'http-socket', 'socket', 'unix'] as const)('by %s', (way) => {
    test.each(['https://app.example', 'https://a.meet.example'])(
      '%s may send a preflight request, and read the response',
      async (origin) => {
        const before = await preflight(`${base(way)}/rooms/r/messages`, origin);
        expect(before.status).toBe(204);
        expect(corsOf(before)).toEqual({
          'access-control-allow-origin': origin,
          'access-control-allow-methods': 'GET, POST',
          'access-control-allow-headers': 'authorization, content-type, last-event-id',
          'access-control-expose-headers': 'retry-after, x-request-id',
          'access-control-max-age': '600',
        });
        const joined = await post(`${base(way)}/rooms/r/join`, origin);
        expect(joined.status).toBe(200);
        expect(corsOf(joined)).toEqual({
          'access-control-allow-origin': origin,
          'access-control-expose-headers': 'retry-after, x-request-id',
        });
        expect([before, joined].map(variesByOrigin)).toEqual([true, true]);
        const { session, seq } = await joined.json();
        const authorization = `Bearer ${session}`;
        const events = await ask(`${base(way)}/rooms/r/events?after=${seq}`, origin, { headers: { authorization } });
        expect([events.status, corsOf(events)['access-control-allow-origin']]).toEqual([200, origin]);
        await ask(`${base(way)}/rooms/r/leave`, origin, { method: 'POST', headers: { authorization } });
      },
    );

    test('refusals can be read as well', async () => {
      const refused = await post(`${base(way)}/rooms/r/messages`, 'https://app.example');
      expect([refused.status, corsOf(refused)['access-control-allow-origin']]).toEqual([401, 'https://app.example']);
      const unsound = await ask(`${base(way)}/rooms/r/join`, 'https://app.example', {
        ...{ method: 'POST', headers: { 'content-type': 'application/json' } },
        body: '{',
      });
      expect([unsound.status, corsOf(unsound)['access-control-allow-origin']]).toEqual([400, 'https://app.example']);
    });

    test('the same host is served like an allowed origin', async () => {
      const own = base(way);
      const joined = await post(`${own}/rooms/r/join`, own);
      expect([joined.status, corsOf(joined)['access-control-allow-origin']]).toEqual([200, own]);
    });

    test.each(['https://evil.example', 'https://meet.example', 'null'])('%s gets no CORS headers', async (origin) => {
      const before = await preflight(`${base(way)}/rooms/r/join`, origin);
      expect(before.ok).toBe(false);
      const joined = await post(`${base(way)}/rooms/r/join`, origin);
      expect([joined.status, (await joined.json()).code]).toEqual([403, 'origin-refused']);
      expect([corsOf(before), corsOf(joined)]).toEqual([{}, {}]);
      expect([before, joined].map(variesByOrigin)).toEqual([true, true]);
    });

    test('a client without an origin is served, without CORS headers', async () => {
      const joined = await fetch(`${base(way)}/rooms/r/join`, { method: 'POST' });
      expect([joined.status, corsOf(joined)]).toEqual([200, {}]);
    });

    test.each([
      ['https://app.example', 'joined'],
      ['https://evil.example', errors['origin-refused'].close],
      ['null', errors['origin-refused'].close],
    ])('a WebSocket from the origin %s: %s', async (origin, expected) => {
      const socket = new WebSocket(`${base(way).replace('http', 'ws')}/rooms/ws-${way}/ws`, protocolVersion, {
        origin,
      });
      const outcome = await new Promise((resolve) => {
        socket.on('open', () => socket.send('{"type":"join"}'));
        socket.on('message', (data) => {
          const { type } = JSON.parse(String(data));
          if (type === 'joined') resolve(type);
        });
        socket.on('close', resolve);
      });
      socket.terminate();
      expect(outcome).toBe(expected);
    });
  });

  const [own, elsewhere] = ['http://h.example:8081', 'http://o.example'];
  const secure = { 'X-Forwarded-Proto': 'https' };
  // The origin-related fields of a request besides its Origin, and whether it is accepted.
  test.each<[Kind, string, Record<string, string>, Record<string, string>, number]>([
    ['socket', own, { Host: 'h.example' }, {}, 403],
    ['socket', own, { Host: 'h.example' }, { SERVER_PORT: '8081' }, 200],
    ['socket', own, { Host: 'h.example' }, { SERVER_PORT: '8082' }, 403],
    ['socket', own, { Host: 'h.example', 'X-Forwarded-Port': '8081' }, {}, 403],
    ['socket', own, { Host: 'h.example', 'Sec-Fetch-Site': 'same-origin' }, {}, 200],
    ['socket', own, { Host: 'h.example:8081', 'Sec-Fetch-Site': 'cross-site' }, {}, 403],
    ['socket', 'https://h.example', { Host: 'h.example:443' }, { REQUEST_SCHEME: 'https' }, 200],
    ['socket', 'http://h.example', { Host: 'h.example' }, { REQUEST_SCHEME: 'https' }, 403],
    ['http-socket', own, { Host: 'h.example' }, {}, 403],
    ['http-socket', own, { Host: 'h.example', 'X-Forwarded-Port': '8081' }, {}, 200],
    ['http-socket', own, { Host: 'inner', 'X-Forwarded-Host': 'h.example:8081' }, {}, 200],
    ['http-socket', own, { Host: 'inner', 'X-Forwarded-Host': 'h.example', 'X-Forwarded-Port': '8081' }, {}, 200],
    ['http-socket', own, { Host: 'inner', 'Sec-Fetch-Site': 'same-origin' }, {}, 200],
    ['http-socket', 'https://h.example', { Host: 'h.example:443', ...secure }, {}, 200],
    ['http-socket', 'http://h.example', { Host: 'h.example', ...secure }, {}, 403],
    ['http-socket', 'ftp://h.example:8081', { Host: 'h.example:8081' }, {}, 403],
    ['http', own, { Host: 'h.example', 'X-Forwarded-Port': '8081' }, {}, 403],
    ['http', elsewhere, { Host: 'h.example', 'X-Forwarded-Host': 'o.example' }, {}, 403],
    ['http', 'http://h.example', { Host: 'h.example:80', ...secure }, {}, 200],
    ['http', 'moz-extension://h.example', { Host: 'h.example' }, {}, 403],
    ['http', 'null', { Host: 'h.example', 'Sec-Fetch-Site': 'same-origin' }, {}, 200],
    ['http', 'null', { Host: 'h.example', 'Sec-Fetch-Site': 'cross-site' }, {}, 403],
    ['http', 'https://app.example', { Host: 'h.example', 'Sec-Fetch-Site': 'cross-site' }, {}, 200],
  ])('by %s, the origin %s, with %j and %j: %i', async (kind, Origin, headers, vars, status) => {
    const addresses = { ...site.addresses, http: new URL(base('http')).host };
    const asking = { Origin, 'Content-Type': 'application/json', ...headers };
    const question = { method: 'POST', url: '/rooms/told/join', headers: asking, body: '{}', vars };
    const answer = readAnswer(await exchange(kind, Number(addresses[kind].split(':')[1]), question));
    expect([answer.status, answer.headers['access-control-allow-origin']]).toEqual([
      status,
      status === 200 && Origin !== 'null' ? Origin : undefined,
    ]);
  });

  test('a WebSocket may come from an origin without a port if Host has the scheme’s default port', async () => {
    const headers = { Host: 'meet.example:443', 'X-Forwarded-For': '192.0.2.7', ...secure };
    const url = `${base('http-socket').replace('http', 'ws')}/rooms/garden/ws`;
    const socket = new WebSocket(url, protocolVersion, { headers, origin: 'https://meet.example' });
    socket.on('open', () => socket.send('{"type":"join"}'));
    const [first] = await once(socket, 'message');
    socket.terminate();
    expect(JSON.parse(String(first))).toMatchObject({ type: 'joined' });
  });

  test('pages and operational paths have no CORS headers', async () => {
    for (const path of ['/', '/rooms/r', '/healthz', '/metrics']) {
      const answer = await ask(`${base('http')}${path}`, 'https://app.example');
      expect([path, corsOf(answer)]).toEqual([path, {}]);
      const before = await preflight(`${base('http')}${path}`, 'https://app.example', 'GET');
      expect([before.ok, corsOf(before)]).toEqual([false, {}]);
    }
  });

  test('Retry-After can be read when requests are too frequent', async () => {
    let last: Response | undefined;
    for (let at = 0; at < 100 && last?.status !== 429; at++)
      last = await post(`${base('http')}/rooms/often-${at}/join`, 'https://app.example');
    expect(last?.status).toBe(429);
    expect(last?.headers.get('retry-after')).toMatch(/^\d+$/);
    expect(last && corsOf(last)).toMatchObject({ 'access-control-expose-headers': 'retry-after, x-request-id' });
  });
});
