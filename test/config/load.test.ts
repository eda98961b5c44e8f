import { describe, expect, test } from 'vitest';
import { parseAddress, showAddress } from '../../app/config/address.ts';
import { load } from '../../app/config/load.ts';
import { settingNames } from '../../app/config/schema.ts';
import { environmentName } from '../../app/config/setting-metadata.ts';
import { faultsOf, loadYaml, settingsOf } from './loading.ts';

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
    '%j is not an address',
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

  test.each([
    [['--grace', '3'], { GENKAN_GRACE: '4', UWSGI_HARAKIRI: '' }, 3],
    [[], { GENKAN_GRACE: '4' }, 4],
    [[], {}, 5],
    [['--grace', '3', '--grace', '2'], {}, 2],
  ])('flags %j > environment %j > file > default', (argv, environment, grace) => {
    const text = 'genkan:\n  grace: 5\n  max-peers: 3\n';
    for (const loaded of [
      loadYaml(text, argv, environment),
      load([...argv, '--yaml=f.yaml'], environment, () => text),
      load(argv, { ...environment, GENKAN_YAML: 'f.yaml' }, () => text),
    ])
      expect(loaded).toMatchObject({ settings: { grace, 'max-peers': 3, 'max-rooms': 10_000 } });
  });

  test('a list of a higher source replaces that of a lower one', () => {
    const text = 'genkan:\n  http: [":1", ":2"]\n';
    expect(settingsOf(loadYaml(text)).http).toHaveLength(2);
    expect(settingsOf(loadYaml(text, ['--http', ':3'])).http).toEqual([{ kind: 'tcp', port: 3 }]);
  });

  test('the later of two files wins', () => {
    const files: Record<string, string> = { a: 'genkan: {grace: 1, max-peers: 5}', b: 'prod: {grace: 2}' };
    const loaded = load(['--yaml', 'a', '-y', 'b:prod'], {}, (path) => files[path] ?? '');
    expect(loaded).toMatchObject({ settings: { grace: 2, 'max-peers': 5 }, notes: [] });
  });

  test('the source of each is known', () => {
    const loaded = loadYaml('genkan:\n  grace: 5\n', ['--max-peers', '3'], { GENKAN_MAX_ROOMS: '7' });
    const given = 'given' in loaded ? loaded.given : new Map();
    expect([...given.values()].map(({ source }) => source)).toEqual([
      'f.yaml:2: grace',
      'GENKAN_MAX_ROOMS',
      '--yaml',
      '--max-peers',
    ]);
  });

  test('all faults are reported at once, each with its source', () => {
    const loaded = load(
      [
        '--max-peers',
        'many',
        '--sockets',
        ':1',
        '--socket',
        '3031',
        'stray',
        '--nonsensical',
        '--yaml',
        'x.yaml',
        '--grace',
      ],
      { GENKAN_MAX_PEER: '3', GENKAN_ALLOW_FROM: '10.0.0.0/64', GENKAN_MAX_ROOMS: '0' },
      () => 'genkan:\n  grase: 1\n  poll-wait: true\n',
    );
    expect(faultsOf(loaded)).toEqual([
      'x.yaml:2: grase: there is no such setting; did you mean grace?',
      'GENKAN_MAX_PEER: there is no such setting; did you mean GENKAN_MAX_PEERS?',
      '--sockets: there is no such setting; did you mean --socket?',
      'stray: not understood; settings are written --name value',
      '--nonsensical: there is no such setting',
      '--grace: a value is missing',
      expect.stringMatching(/^--socket: "3031" is not an address/),
      expect.stringMatching(/^GENKAN_ALLOW_FROM: must be an IP address or a network/),
      'GENKAN_MAX_ROOMS: must be a whole number from 1 to 10000000',
      '--max-peers: must be a whole number from 2 to 1000',
      'x.yaml:3: poll-wait: must be a whole number from 1 to 3600',
    ]);
  });

  test.each([
    [['--master'], true],
    [['--master', 'true'], true],
    [['--master=yes'], true],
    [['-M', '--grace', '1'], true],
    [['--master', 'false'], false],
    [['--master=0'], false],
  ])('%j is a boolean', (argv, master) => {
    expect(settingsOf(load(argv, {})).master).toBe(master);
  });
  test('only a boolean may follow a boolean flag', () => {
    expect(faultsOf(load(['--master', 'maybe'], {}))).toEqual([expect.stringMatching(/^maybe: not understood/)]);
    expect(faultsOf(load(['--master=maybe'], {}))).toEqual(['--master: must be true or false']);
  });

  test.each([
    ['https://id.example/jwks.json', true],
    ['https://id.example:8443/realms/a/certs?x=1', true],
    ['https://[2001:db8::1]/keys', true],
    ['http://127.0.0.1:8080/keys', true],
    ['http://localhost', true],
    ['http://[::1]/keys', true],
    ['http://id.example/jwks.json', false],
    ['http://localhost.evil.example/', false],
    ['http://localhost:80@evil.example/', false],
    ['http://127.0.0.1.evil.example/', false],
    ['https://user:word@id.example/', false],
    ['file:///etc/keys', false],
  ])('keys are fetched over https, or from this machine: %s', (url, sound) => {
    const fault = expect.stringMatching(/^--token-jwks-url: must be a URL .*http:\/\/ only for this machine/);
    expect(faultsOf(load(['--token-jwks-url', url], {}))).toEqual(sound ? [] : [fault]);
  });

  test.each([[['-t0']], [['-t', '0']], [['-t=0']], [['--harakiri=0']]])('%j: short options take values', (argv) => {
    expect(settingsOf(load(argv, {})).harakiri).toBe(0);
  });
  test.each([
    [['-master'], '-master: there is no such setting; did you mean --master?'],
    [['-processes', '2'], '-processes: there is no such setting; did you mean --processes?'],
    [['--p', '1'], '--p: there is no such setting'],
    [['-q'], '-q: there is no such setting'],
    [['--'], '--: not understood; settings are written --name value'],
    [['app.yaml'], 'app.yaml: not understood; for a file of settings write --yaml app.yaml'],
    [['--grace', '-5'], '--grace: must be a whole number from 1 to 86400'],
    [['--grace', '--http', ':1'], '--grace: a value is missing'],
  ])('%j has an error message of its own', (argv, fault) => {
    expect(faultsOf(load(argv, {}))).toEqual([fault]);
  });

  test('each has one name in the environment', () => {
    const names = settingNames.map(environmentName);
    expect(names).toContain('GENKAN_HTTP_SOCKET');
    expect(new Set(names).size).toBe(names.length);
  });
});
