/** The log: its formats, what it never contains, one line for each event, and a file that logrotate may rotate. */
import { chmodSync, mkdtempSync, readFileSync, renameSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import WebSocket from 'ws';
import { type AccessSettings, createAccessLog } from '../../app/logging/access-log.ts';
import { compileFormat, formatFaults, readable } from '../../app/logging/format.ts';
import { createPino, openLog } from '../../app/logging/logger.ts';
import { redactFields, redactText, redactUrl } from '../../app/logging/redact.ts';
import type { Answered } from '../../app/web/request-log.ts';
import { startWatched, type Watched } from '../stats/snapshots.ts';

const answered: Answered = {
  ...{ reqId: 'r-1', method: 'GET', url: '/rooms/a/events?after=3&token=hush', status: 200, us: 1234 },
  ...{ ip: '192.0.2.7', host: 'meet.example', bytes: 17, protocol: 'HTTP/1.1', agent: 'curl "8"\n', room: 'a' },
  referer: 'https://meet.example/rooms/a?key=hush',
};

describe('log-format', () => {
  const entry = { time: 1_700_000_000_123, pid: 9, wid: 2, peer: 'p', closeCode: 4000, ms: 1.6, url: '/x' };
  test.each([
    ['%(time) %(epoch)', '2023-11-14T22:13:20.123Z 1700000000'],
    ['%(msecs)/%(micros)us %(uri)', '2/1600us /x'],
    ['pid %(pid) wid %(wid) %(peer) %(wsclose)', 'pid 9 wid 2 p 4000'],
    ['%(room) "%(uagent)" 100% %method', '- "-" 100% %method'],
  ])('%s', (format, line) => expect(compileFormat(format)(entry)).toBe(line));

  test('values are escaped and truncated', () => {
    const line = compileFormat('"%(uagent)"')({ agent: `a"b\\c\r\n\u202e${'x'.repeat(1000)}` });
    expect(line).toMatch(/^"a\\"b\\\\c\\u000d\\u000a\\u202ex+…"$/);
    expect(line.length).toBeLessThan(560);
  });

  test('every unknown token is reported', () => {
    expect(formatFaults('%(method) %(nonsense) %()')).toEqual([
      expect.stringMatching(/^%\(nonsense\) is unknown; available: %\(method\) /),
      expect.stringMatching(/^%\(\) is unknown/),
    ]);
    expect(() => compileFormat('%(nonsense)')).toThrow('log-format: %(nonsense) is unknown');
  });

  test('other entries are one readable line, with an indented stack below', () => {
    const line = readable({ level: 40, time: 0, msg: 'a\nb', n: 1, o: { p: 'q"' } });
    expect(line).toBe('1970-01-01T00:00:00.000Z WARN a\\u000ab n=1 o={\\"p\\":\\"q\\\\\\"\\"}');
    expect(readable({ level: 50, time: 0, msg: 'm', err: { stack: 'E: x\nat y' } })).toMatch(
      /ERROR m err=E: x\n {4}at y$/,
    );
  });
});

test('what a client chooses is shortened, so that it cannot fill the disk', () => {
  const lines: string[] = [];
  const logger = createPino({ 'log-level': 'info' }, { write: (line) => void lines.push(line) });
  const settings = { 'disable-logging': false, 'log-4xx': false, 'log-5xx': false, 'log-slow': 0 };
  const long = 'x'.repeat(60_000);
  const texts = { method: long, host: long, url: `/${long}`, agent: long, referer: `https://a/${long}` };
  createAccessLog(logger, settings).answered({ ...answered, ...texts });
  expect(lines.join('').length).toBeLessThan(3000);
});

describe('secrets', () => {
  const secret = 'q'.repeat(32);
  test('are redacted by name, at any depth', () => {
    const fields = {
      session: secret,
      a: [{ Authorization: secret, b: { token: secret } }],
      room: 'r',
      none: undefined,
    };
    const clean = redactFields(fields);
    expect(JSON.stringify(clean)).toBe(
      '{"session":"[redacted]","a":[{"Authorization":"[redacted]","b":{"token":"[redacted]"}}],"room":"r"}',
    );
    expect(fields.session).toBe(secret);
  });
  test.each([
    [`session abcdefghijkl.${secret} is over`, 'session [redacted] is over'],
    [`eyJhbGciOiJI.eyJzdWIiOiIx.${secret}`, '[redacted]'],
    ['authorization: Bearer a.b-c', 'authorization: Bearer [redacted]'],
    ['1.2 seconds for file.ts', '1.2 seconds for file.ts'],
  ])('are redacted by format: %s', (text, clean) => expect(redactText(text)).toBe(clean));
  test.each([
    ['/rooms/a/events?after=3&wait=2.5', '/rooms/a/events?after=3&wait=2.5'],
    ['/rooms/a/events?after=3&token=hush', '/rooms/a/events?after=3&…'],
    ['/rooms/a?token=hush', '/rooms/a?…'],
    ['/rooms/a?after=hush', '/rooms/a?…'],
    ['/rooms/a#hush', '/rooms/a'],
    ['/a?after=1?token=hush', '/a?…'],
  ])('are redacted in URLs: %s', (url, clean) => expect(redactUrl(url)).toBe(clean));
  test('are redacted in errors', () => {
    const lines: string[] = [];
    const logger = createPino({ 'log-level': 'info' }, { write: (line: string) => lines.push(line) }, 3);
    logger.error({ err: Object.assign(new Error(`no abc.${secret}`), { session: secret }), token: 'hush' }, 'failed');
    expect(lines[0]).toContain('"wid":3');
    expect(lines[0]).toContain('no [redacted]');
    expect(lines.join()).not.toMatch(/q{32}|hush/);
  });
});

describe('disable-logging', () => {
  const none: AccessSettings = { 'disable-logging': true, 'log-4xx': false, 'log-5xx': false, 'log-slow': 0 };
  const written = (settings: Partial<AccessSettings>): number[] => {
    const lines: object[] = [];
    const logger = { isLevelEnabled: () => true, info: (fields: object) => lines.push(fields) };
    const log = createAccessLog(logger, { ...none, ...settings });
    const { us } = answered;
    for (const entry of [
      { status: 200, us },
      { status: 404, us },
      { status: 503, us },
      { status: 201, us: 500_001 },
    ])
      if (log.wants(entry.status, entry.us)) log.answered({ ...answered, ...entry });
    log.opened({ reqId: 'r', ip: '::1', room: 'a' });
    return lines.map((fields) => ('status' in fields ? Number(fields.status) : 0));
  };
  test.each([
    [{}, []],
    [{ 'log-4xx': true }, [404]],
    [{ 'log-5xx': true }, [503]],
    [{ 'log-slow': 500 }, [201]],
    [{ 'log-slow': 501, 'log-4xx': true }, [404]],
    [{ 'disable-logging': false }, [200, 404, 503, 201, 101]],
  ])('%o', (settings, statuses) => expect(written(settings)).toEqual(statuses));
});

describe('a log file', () => {
  const directory = mkdtempSync(join(tmpdir(), 'genkan-log-'));
  afterAll(() => rmSync(directory, { recursive: true }));
  const file = join(directory, 'app.log');
  const read = (name = file) => readFileSync(name, 'utf8');
  afterEach(() => rmSync(file, { force: true }));

  test('contains JSON, and is reopened after it was moved', () => {
    const { logger, reopen } = openLog({ 'log-level': 'info', logto: file });
    logger.info('before');
    renameSync(file, `${file}.1`);
    logger.info('still there');
    reopen();
    logger.info('after');
    expect(read(`${file}.1`)).toMatch(/"msg":"before"\}\n.*"msg":"still there"\}\n$/);
    expect(read()).toMatch(/^\{"level":30,"time":\d+,"msg":"after"\}\n$/);
  });

  test('is created with mode 0640, also when reopened; an existing one keeps its mode', () => {
    const modeOf = () => (statSync(file).mode & 0o777).toString(8);
    const umask = process.umask(0);
    try {
      const { reopen } = openLog({ 'log-level': 'info', logto: file });
      expect(modeOf()).toBe('640');
      rmSync(file);
      reopen();
      expect(modeOf()).toBe('640');
      chmodSync(file, 0o604);
      reopen();
      expect(modeOf()).toBe('604');
    } finally {
      process.umask(umask);
    }
  });

  test('contains requests in their own format, other entries readable', () => {
    const format = '%(addr) %(method) %(uri) %(status) %(size) %(reqid) %(referer) "%(uagent)"';
    const { logger } = openLog({ 'log-level': 'info', logto: file, 'log-format': format });
    const settings = { 'disable-logging': false, 'log-4xx': false, 'log-5xx': false, 'log-slow': 0 };
    createAccessLog(logger, settings).answered(answered);
    logger.warn({ peer: 'x y' }, 'refused');
    const [first, second] = read().split('\n');
    expect(first).toBe(
      '192.0.2.7 GET /rooms/a/events?after=3&… 200 17 r-1 https://meet.example/rooms/a?… "curl \\"8\\"\\u000a"',
    );
    expect(second).toMatch(/^\d{4}-\S+Z WARN refused peer=x y$/);
  });

  test('is readable with log-json false and no format; a missing directory is reported at once', () => {
    openLog({ 'log-level': 'info', logto: file, 'log-json': false }).logger.info({ a: 1 }, 'hello');
    expect(read()).toMatch(/Z INFO hello a=1\n$/);
    expect(() => openLog({ 'log-level': 'info', logto: join(directory, 'none/app.log') })).toThrow('ENOENT');
  });
});

describe('the running server', () => {
  let site: Watched;
  beforeAll(async () => {
    site = await startWatched();
  });
  afterAll(() => site.stop());
  const logged = async (matching: object) => {
    await expect.poll(() => site.logs, { interval: 5 }).toContainEqual(expect.objectContaining(matching));
    return site.logs.find((line) => Object.entries(matching).every(([name, value]) => line[name] === value)) ?? {};
  };

  test('logs a request on one line and returns its id; the front end’s id is used, a browser’s is not', async () => {
    const headers = { 'x-request-id': 'front-7', 'user-agent': 'test', cookie: 'hush', authorization: 'Bearer hush' };
    const fronted = await fetch(`${site.fronted}/rooms/a/events?after=3&token=hush`, { headers });
    expect(fronted.headers.get('x-request-id')).toBe('front-7');
    const line = await logged({ reqId: 'front-7' });
    expect(line).toMatchObject({
      ...{ msg: 'request', method: 'GET', url: '/rooms/a/events?after=3&…', status: 401, ip: '127.0.0.1' },
      ...{ protocol: 'HTTP/1.1', agent: 'test', room: 'a', bytes: expect.any(Number), ms: expect.any(Number) },
    });
    const open = await fetch(`${site.http}/healthz`, { headers });
    const own = open.headers.get('x-request-id') ?? '';
    expect(own).toMatch(/^[\da-f-]{36}$/);
    await logged({ reqId: own, url: '/healthz' });
    const odd = await fetch(`${site.fronted}/healthz`, { headers: { 'x-request-id': 'a b\u00e9' } });
    expect(odd.headers.get('x-request-id')).toMatch(/^[\da-f-]{36}$/);
    expect(site.logs.filter(({ reqId }) => reqId === own)).toHaveLength(1);
    expect(JSON.stringify(site.logs)).not.toContain('hush');
  });

  test('logs a client that does not wait for its response', async () => {
    const joined = await (await fetch(`${site.http}/rooms/c/join`, { method: 'POST' })).json();
    const gone = new AbortController();
    const headers = { authorization: `Bearer ${joined.session}`, 'x-request-id': 'front-gone' };
    const url = `${site.fronted}/rooms/c/events?after=${joined.seq}&wait=20`;
    const asked = fetch(url, { headers, signal: gone.signal }).catch(() => 'gone');
    await new Promise((resolve) => setTimeout(resolve, 100));
    gone.abort();
    expect(await asked).toBe('gone');
    expect(await logged({ reqId: 'front-gone' })).toMatchObject({
      status: 499,
      url: expect.stringContaining('wait=20'),
    });
    expect(JSON.stringify(site.logs)).not.toContain(joined.session);
  });

  test('logs one line when a WebSocket opens, one when it closes, none as a request', async () => {
    const headers = { 'x-request-id': 'front-ws' };
    const socket = new WebSocket(`${site.fronted.replace('http', 'ws')}/rooms/b/ws`, 'genkan.v1', { headers });
    await new Promise((resolve) => socket.once('open', resolve));
    expect(await logged({ reqId: 'front-ws', msg: 'WebSocket opened' })).toMatchObject({ room: 'b', ip: '127.0.0.1' });
    socket.send('{"type":"join"}');
    const joined = await new Promise((resolve) => socket.once('message', resolve));
    socket.close(4321);
    const line = await logged({ reqId: 'front-ws', msg: 'WebSocket closed' });
    expect(line).toMatchObject({
      ...{ room: 'b', peer: JSON.parse(String(joined)).self.id, closeCode: 4321, ms: expect.any(Number) },
      // The frame of 15 bytes with its header and mask, and the close frame.
      ...{ messagesIn: 1, messagesOut: 1, bytesIn: 15 + 6 + 8, bytesOut: expect.any(Number) },
    });
    expect(Number(line.bytesOut)).toBeGreaterThan(String(joined).length);
    expect(site.logs.filter(({ reqId }) => reqId === 'front-ws')).toHaveLength(2);
    expect(JSON.stringify(site.logs)).not.toContain(JSON.parse(String(joined)).session);
  });
});
