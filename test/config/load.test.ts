import { describe, expect, test } from 'vitest';
import { parseAddress, showAddress } from '../../app/config/address.ts';
import { environmentName, load } from '../../app/config/load.ts';
import { settingNames } from '../../app/config/schema.ts';

describe('addresses', () => {
  test.each([
    ['127.0.0.1:3031', { kind: 'tcp', host: '127.0.0.1', port: 3031 }],
    [':9090', { kind: 'tcp', port: 9090 }],
    ['[::1]:80', { kind: 'tcp', host: '::1', port: 80 }],
    ['localhost:0', { kind: 'tcp', host: 'localhost', port: 0 }],
    ['/run/genkan/app.sock', { kind: 'unix', path: '/run/genkan/app.sock' }],
    ['unix:/run/app.sock', { kind: 'unix', path: '/run/app.sock' }],
    ['fd:3', { kind: 'fd', fd: 3 }],
  ])('%s', (text, address) => {
    expect(parseAddress(text)).toEqual(address);
    const shown = parseAddress(text);
    expect(shown && parseAddress(showAddress(shown))).toEqual(address);
  });
  test.each(['9090', ':', ':99999', '::1:80', 'a b:80', 'relative.sock', 'unix:relative', 'fd:', 'fd:x', ''])(
    '%j is none',
    (text) => {
      expect(parseAddress(text)).toBeUndefined();
    },
  );
});

describe('settings', () => {
  test('flags win over the environment, the environment over defaults', () => {
    const loaded = load(['--max-peers', '5', '--socket', ':1', '--socket=/a.sock'], {
      GENKAN_MAX_PEERS: '6',
      GENKAN_GRACE: '7',
      GENKAN_HTTP: ':2, :3',
      GENKAN_LOG_LEVEL: '',
      PATH: '/bin',
    });
    expect(loaded).toMatchObject({
      settings: {
        'max-peers': 5,
        grace: 7,
        'max-rooms': 10_000,
        'log-level': 'info',
        http: [{ port: 2 }, { port: 3 }],
        socket: [{ port: 1 }, { path: '/a.sock' }],
      },
    });
  });

  test('every fault is told at once, each with where it came from', () => {
    const loaded = load(['--max-peers', 'many', '--sockets', ':1', '--socket', '3031', 'stray', '--grace'], {
      GENKAN_MAX_PEER: '3',
      GENKAN_ALLOW_FROM: '10.0.0.0/64',
    });
    const faults = 'faults' in loaded ? loaded.faults : [];
    expect(faults).toEqual([
      'GENKAN_MAX_PEER: there is no such setting',
      '--sockets: there is no such setting',
      expect.stringContaining(':1: not understood'),
      expect.stringContaining('stray: not understood'),
      '--grace: a value is missing',
      expect.stringMatching(/^--socket: "3031" is not an address/),
      expect.stringMatching(/^GENKAN_ALLOW_FROM: write an IP address or a network/),
      '--max-peers: write a whole number',
    ]);
  });

  test('each has one name in the environment', () => {
    const names = settingNames.map(environmentName);
    expect(names).toContain('GENKAN_HTTP_SOCKET');
    expect(new Set(names).size).toBe(names.length);
  });
});
