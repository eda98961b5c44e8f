/** Paths normalized like in nginx, prefixes, and a comparison with a real nginx. */
import { request } from 'node:http';
import { describe, expect, test } from 'vitest';
import { belowPrefix, isSamePlace, normalPath, readPrefix } from '../../../app/listener/url-path.ts';
import { readHead } from '../../../app/listener/uwsgi/vars.ts';
import { without } from '../../setup/without.ts';
import { requestVariables } from './client.ts';
import { listenWith } from './listener.ts';
import { ask, startNginx, uwsgiPass } from './nginx.ts';
import { randomFrom } from './random.ts';

describe('normalPath', () => {
  test.each([
    ['/', '/'],
    ['/a/b', '/a/b'],
    ['/a/b/?x=/../', '/a/b/'],
    ['/a#b', '/a'],
    ['/a%20b', '/a b'],
    ['/%68ealthz', '/healthz'],
    ['/%2568', '/%68'],
    ['/a%2Fb', '/a/b'],
    ['/a%3fb', '/a?b'],
    ['/a/./b/.', '/a/b/'],
    ['/a/../b', '/b'],
    ['/a/b/..', '/a/'],
    ['/a/%2e%2e/b', '/b'],
    ['/a/.%2E/b', '/b'],
    ['//a///b//', '/a/b/'],
    ['/a/...', '/a/...'],
    ['/.a/..b', '/.a/..b'],
    ['/a+b;c', '/a+b;c'],
    ['/%e7%8e%84', '\xe7\x8e\x84'],
  ])('%s → %s', (url, path) => {
    expect(normalPath(url)).toBe(path.startsWith('/') ? path : `/${path}`);
  });
  test('keeps double slashes, as with merge_slashes off', () => {
    expect(['//a///b//', '//..', '/a//../b', '/a/./', '/a//.'].map((url) => normalPath(url, false))).toEqual([
      '//a///b//',
      '/',
      '/a/b',
      '/a/',
      '/a//',
    ]);
  });
  test.each(['/..', '/a/../..', '/%2e%2e/', '/a%', '/a%2', '/a%zz', '/a%00b'])('%s is not a path', (url) => {
    expect(normalPath(url)).toBeUndefined();
  });
});

describe('PATH_INFO and REQUEST_URI', () => {
  test.each([
    ['/rooms/x', '/rooms/x', ''],
    ['/rooms/%C3%A9', '/rooms/\xc3\xa9', ''],
    ['/a//b', '/a/b', ''],
    ['/a//b', '/a//b', ''],
    ['/meet/x', '/meet/x', '/meet'],
    ['/meet/x', '/x', '/meet'],
    ['/meet', '', '/meet'],
    ['/x', '/x', '/meet'],
  ])('%s is %s below "%s"', (url, pathInfo, scriptName) => {
    expect(pathInfo === '' || isSamePlace(url, pathInfo, scriptName)).toBe(true);
  });
  test.each([
    // A rule for /stats at the front end that would apply to another path here.
    ['/stats', '/rooms/x', ''],
    ['/stats/%2e%2e/rooms', '/stats/../rooms', ''],
    ['/%2573tats', '/stats', ''],
    ['/meet/x', '/x', ''],
    ['/x/meet/y', '/y', '/meet'],
    ['/a%00', '/a', ''],
    ['/..', '/', ''],
  ])('%s is not %s below "%s"', (url, pathInfo, scriptName) => {
    expect(isSamePlace(url, pathInfo, scriptName)).toBe(false);
    const head = readHead(requestVariables({ url, vars: { PATH_INFO: pathInfo, SCRIPT_NAME: scriptName } }), 0);
    expect(head).toMatchObject({ kind: 'fault', status: 400, variable: 'PATH_INFO' });
  });
  test('are not compared if one is missing, nor for OPTIONS *', () => {
    expect(readHead(requestVariables({ url: '/a', vars: { PATH_INFO: '' } }), 0).kind).toBe('head');
    expect(readHead(requestVariables({ method: 'OPTIONS', url: '*', vars: { PATH_INFO: '/' } }), 0).kind).toBe('head');
  });
});

describe('SCRIPT_NAME', () => {
  test.each(['meet', '/a b', '/a/../b', '/.', '/a?b', '/a#', '//', '/a//b', '/\xe9'])('%j is refused', (name) => {
    expect(readPrefix(name)).toBeUndefined();
    expect(readHead(requestVariables({ vars: { SCRIPT_NAME: name } }), 0)).toMatchObject({ variable: 'SCRIPT_NAME' });
  });
  test('"/" is the same as none, and a trailing slash is ignored', () => {
    expect(readHead(requestVariables({ url: '/a', vars: { SCRIPT_NAME: '/' } }), 0)).toMatchObject({ url: '/a' });
    expect(readPrefix('/meet/')).toBe('/meet');
  });
  test('is removed once, and only as a whole segment', () => {
    expect(belowPrefix('/meet/meet/x', '/meet')).toBe('/meet/x');
    expect(belowPrefix('/meeting/x', '/meet')).toBe('/meeting/x');
    expect(belowPrefix('/x/../meet/y', '/meet')).toBe('/x/../meet/y');
    expect(belowPrefix('/me%65t//x', '/meet')).toBe('//x');
  });
});

describe.skipIf(without('nginx'))('a real nginx', () => {
  /** The raw status, with a path that no client library would send. */
  const status = (port: number, path: string): Promise<number> =>
    new Promise((resolve, reject) => {
      const sent = request({ host: '127.0.0.1', port, path, agent: false }, (answer) => {
        answer.resume();
        resolve(answer.statusCode ?? 0);
      });
      sent.on('error', reject).end();
    });

  test.each([true, false])('normalizes 600 unusual paths in the same way; merge_slashes: %s', async (merge) => {
    let seen = '';
    const { address, lines } = await listenWith((incoming, response) => {
      seen = incoming.url ?? '';
      response.end();
    });
    const port = await startNginx(`merge_slashes ${merge ? 'on' : 'off'};\nlocation / {${uwsgiPass(address)}}`);
    const random = randomFrom(7);
    const pieces = [
      '/',
      '.',
      '..',
      '/../',
      '//',
      'a',
      'b%20',
      '%2e',
      '%2F',
      '%61',
      '%25',
      '%',
      '%0',
      '?',
      '+',
      ';',
      ':',
      '%C3%A9',
      '%3f',
    ];
    const counts = { served: 0, refused: 0 };
    for (let round = 0; round < 600; round++) {
      const path = `/${Array.from({ length: 1 + random(8) }, () => pieces[random(pieces.length)]).join('')}`;
      const answered = await status(port, path);
      // nginx itself refuses what is not a valid path here either; what it passes on must always be accepted.
      expect([path, answered, lines]).toEqual([path, normalPath(path, merge) === undefined ? 400 : 200, []]);
      if (answered === 200) expect(seen).toBe(path);
      counts[answered === 200 ? 'served' : 'refused']++;
    }
    expect(counts.served).toBeGreaterThan(200);
    expect(counts.refused).toBeGreaterThan(50);
  });

  test('a subpath, a rewrite with and without SCRIPT_NAME, and a bypassed location', async () => {
    const { address } = await listenWith((incoming, response) =>
      response.end(`${incoming.url} below ${incoming.headers['x-forwarded-prefix']}`),
    );
    const port = await startNginx(`
      location /meet/ {${uwsgiPass(address, true, { SCRIPT_NAME: '/meet' })}}
      location /cut/ { rewrite ^/cut(/.*)$ $1 break; ${uwsgiPass(address, true, { SCRIPT_NAME: '/cut' })}}
      location /moved/ { rewrite ^/moved(/.*)$ $1 break; ${uwsgiPass(address)}}
      location /told/ { rewrite ^/told(/.*)$ $1 break; ${uwsgiPass(address, true, { REQUEST_URI: '$uri$is_args$args' })}}
      location / {${uwsgiPass(address)}}`);
    const text = async (path: string) => {
      const { status: answered, body } = await ask(port, path);
      return answered === 200 ? body.toString() : answered;
    };
    expect(await text('/meet/rooms/x?a=1')).toBe('/rooms/x?a=1 below /meet');
    expect(await text('/meet/%72ooms/a%20b')).toBe('/%72ooms/a%20b below /meet');
    expect(await text('/cut/rooms/x')).toBe('/rooms/x below /cut');
    expect(await text('/told/rooms/x?a=1')).toBe('/rooms/x?a=1 below undefined');
    expect(await text('/moved/rooms/x')).toBe(400);
    expect(await text('/rooms/x')).toBe('/rooms/x below undefined');
  });
});
