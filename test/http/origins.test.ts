/** Pages of which origins may use the rooms: the rule by itself, then WebSockets and CORS on every listener. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import WebSocket from 'ws';
import { load } from '../../app/config/load.ts';
import { mayUseFrom } from '../../app/http/origins.ts';
import { errors } from '../../app/protocol/errors.ts';
import { protocolVersion } from '../../app/protocol/messages.ts';
import { type Site, startSite } from '../signaling/site.ts';

describe('the rule', () => {
  const mayUse = mayUseFrom([
    'https://App.Example:443',
    'http://localhost:5173',
    'https://*.meet.example',
    'https://*.port.example:8443',
  ]);
  test.each([
    [undefined, true],
    ['https://app.example', true],
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
  ])('of %j is %j', (origin, allowed) => {
    expect(mayUse(origin, 'This.Example:8080')).toBe(allowed);
  });

  test.each(['*', 'null', 'https://*', 'https://a.*.example', 'https://meet.example/', 'meet.example', 'https://a?b'])(
    'cannot be given as %s',
    (entry) => {
      expect(load(['--allowed-origins', entry], {})).toMatchObject({
        faults: [expect.stringContaining('--allowed-origins: write an origin such as')],
      });
    },
  );
});

describe('on the real server', () => {
  let site: Site;
  beforeAll(async () => {
    site = await startSite([
      ...['--allowed-origins', 'https://app.example', '--allowed-origins', 'https://*.meet.example'],
      ...['--join-burst', '30', '--join-rate', '1'],
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
      '%s may ask before, and read the answer',
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

    test('the same host is served like an allowed one', async () => {
      const own = base(way);
      const joined = await post(`${own}/rooms/r/join`, own);
      expect([joined.status, corsOf(joined)['access-control-allow-origin']]).toEqual([200, own]);
    });

    test.each(['https://evil.example', 'https://meet.example', 'null'])('%s gets nothing', async (origin) => {
      const before = await preflight(`${base(way)}/rooms/r/join`, origin);
      expect(before.ok).toBe(false);
      const joined = await post(`${base(way)}/rooms/r/join`, origin);
      expect([joined.status, (await joined.json()).code]).toEqual([403, 'origin-refused']);
      expect([corsOf(before), corsOf(joined)]).toEqual([{}, {}]);
      expect([before, joined].map(variesByOrigin)).toEqual([true, true]);
    });

    test('a program without an origin is served, and told nothing of origins', async () => {
      const joined = await fetch(`${base(way)}/rooms/r/join`, { method: 'POST' });
      expect([joined.status, corsOf(joined)]).toEqual([200, {}]);
    });

    test.each([
      ['https://app.example', 'joined'],
      ['https://evil.example', errors['origin-refused'].close],
      ['null', errors['origin-refused'].close],
    ])('a WebSocket from a page of %s: %s', async (origin, expected) => {
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

  test('pages and operations are nobody else’s', async () => {
    for (const path of ['/', '/rooms/r', '/healthz', '/metrics']) {
      const answer = await ask(`${base('http')}${path}`, 'https://app.example');
      expect([path, corsOf(answer)]).toEqual([path, {}]);
      const before = await preflight(`${base('http')}${path}`, 'https://app.example', 'GET');
      expect([before.ok, corsOf(before)]).toEqual([false, {}]);
    }
  });

  test('when it is too often, when to come back can be read', async () => {
    let last: Response | undefined;
    for (let at = 0; at < 40 && last?.status !== 429; at++)
      last = await post(`${base('http')}/rooms/often-${at}/join`, 'https://app.example');
    expect(last?.status).toBe(429);
    expect(last?.headers.get('retry-after')).toMatch(/^\d+$/);
    expect(last && corsOf(last)).toMatchObject({ 'access-control-expose-headers': 'retry-after, x-request-id' });
  });
});
