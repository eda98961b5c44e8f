/** Every option of uWSGI has a verdict, and the command lines of earlier projects start. */
import { describe, expect, test } from 'vitest';
import { explain, explainAll } from '../../app/config/explain.ts';
import { load } from '../../app/config/load.ts';
import { meaningOf } from '../../app/config/resolve-name.ts';
import { schema, settingNames } from '../../app/config/schema.ts';
import { metadataOf } from '../../app/config/setting-metadata.ts';
import { answerTo, uwsgiFamilies, uwsgiOptions } from '../../app/config/uwsgi-compat/options.ts';
import { faultsOf, loadYaml, settingsOf } from './loading.ts';

const verdictOf = (name: string): string => {
  const meaning = meaningOf(schema, name);
  if (meaning.kind === 'answer') return meaning.answer.verdict;
  if (meaning.kind === 'unknown') return 'unknown';
  return meaning.renamed ? `renamed ${meaning.name}` : `setting ${meaning.name}`;
};

describe('the command lines of earlier projects', () => {
  test.each([
    ['--master --http :9090 --enable-threads', { http: [{ port: 9090 }], master: true }],
    ['--master --socket 127.0.0.1:3031 --enable-threads', { socket: [{ host: '127.0.0.1', port: 3031 }] }],
    ['--master --http-socket 127.0.0.1:9090', { 'http-socket': [{ port: 9090 }] }],
    ['--chdir /srv --http :9090', { chdir: '/srv' }],
    ['--http :9090 --processes 1 --threads 2', { processes: 1 }],
    ['--http :9090 -p 1', { processes: 1 }],
    ['--stats 127.0.0.1:9191', { stats: [{ port: 9191 }] }],
    ['--processes 4', { processes: 4 }],
    ['-p 4', { processes: 4 }],
  ])('%s', (line, settings) => {
    expect(load(line.split(' '), {})).toMatchObject({ settings });
  });
  test('a file in their format is accepted', () => {
    const text =
      'uwsgi:\n  master: true\n  http: :9090\n  enable-threads: true\n  processes: 1\n  threads: 2\n  chdir: /srv\n';
    const loaded = loadYaml(text);
    expect(settingsOf(loaded)).toMatchObject({ http: [{ port: 9090 }], chdir: '/srv' });
    expect(loaded.notes).toContainEqual(expect.stringMatching(/^f\.yaml:6: threads: has no effect: a worker runs one/));
  });
});

describe('the options of uWSGI', () => {
  test.each([
    [
      'setting',
      'socket http-socket http processes master listen chmod-socket chown-socket uid gid buffer-size limit-post',
    ],
    [
      'setting',
      'touch-reload touch-logreopen harakiri max-worker-lifetime reload-on-rss evil-reload-on-rss static-map pidfile',
    ],
    ['setting', 'vacuum logto disable-logging log-4xx log-5xx log-slow log-format stats stats-http yaml chdir'],
    [
      'always',
      'enable-threads http-websockets http-keepalive tcp-nodelay so-keepalive die-on-term lazy-apps need-app memory-report',
    ],
    ['always', 'strict log-x-forwarded-for stats-no-metrics enable-metrics manage-script-name'],
    [
      'inapplicable',
      'threads reuse-port thunder-lock post-buffering reload-mercy reload-on-as limit-as cheaper cheaper-initial',
    ],
    [
      'inapplicable',
      'cheaper-step cheaper-overload cheaper-algo cheap idle offload-threads check-static static-index daemonize',
    ],
    [
      'inapplicable',
      'log-maxsize metrics-dir stats-push spooler mule mules cache2 snmp log-encoder websockets-pong-tolerance',
    ],
    [
      'refused',
      'umask stop reload pause max-requests max-requests-delta ini env set show-config mount emperor attach-daemon cron',
    ],
    ['refused', 'hook-master-start route log-big log-ioerror stats-minified stats-no-cores'],
    [
      'renamed',
      'socket-timeout worker-reload-mercy touch-chain-reload touch-workers-reload master-fifo websockets-ping-freq',
    ],
    ['setting', 'workers safe-pidfile stats-server'],
  ])('%s: %s', (verdict, names) => {
    for (const name of names.split(' '))
      expect(`${name} ${verdictOf(name)}`).toMatch(new RegExp(`^${name} ${verdict}`));
  });
  test('have one verdict each, and every new name is a setting', () => {
    expect(settingNames.filter((name) => answerTo(name))).toEqual([]);
    for (const answer of Object.values(uwsgiOptions))
      if (answer.verdict === 'renamed') expect(settingNames).toContain(answer.to);
    const others = settingNames.flatMap((name) => [name, ...(metadataOf(schema.shape[name]).also ?? [])]);
    expect(new Set(others).size).toBe(others.length);
  });
});

describe('verdicts', () => {
  test('a renamed option gives a note, and its value is converted to the unit of the setting', () => {
    expect(load(['--socket-timeout', '7', '--websockets-max-size', '128'], {})).toMatchObject({
      settings: { 'header-timeout': 7, 'max-message-bytes': 131_072 },
      notes: [
        '--socket-timeout: is called --header-timeout here, for the request head; body-timeout is for the body',
        '--websockets-max-size: is called --max-message-bytes 131072 here, in bytes',
      ],
    });
    expect(faultsOf(load(['--websockets-max-size', 'x'], {}))).toEqual([
      '--websockets-max-size: must be a whole number from 1024 to 16777216',
    ]);
    expect(loadYaml('genkan:\n  websockets-max-size: 64\n')).toMatchObject({
      settings: { 'max-message-bytes': 65_536 },
    });
  });
  test('an option that is always on is accepted silently, unless it is switched off', () => {
    expect(load(['--enable-threads', '--lazy-apps', '--die-on-term', '-T', '--strict'], {}).notes).toEqual([]);
    expect(loadYaml('uwsgi:\n  strict: false\n').notes).toEqual([
      'f.yaml:2: strict: cannot be switched off: unknown settings are always errors',
    ]);
  });
  test('an option without effect is skipped with its value, and gives a note', () => {
    const loaded = load(
      ['--threads', '4', '--thunder-lock', '--daemonize', '/var/log/x', '--gevent', '100', '--http', ':1'],
      {},
    );
    expect(settingsOf(loaded).http).toHaveLength(1);
    expect(loaded.notes.map((note) => note.split(':')[0])).toEqual([
      '--threads',
      '--thunder-lock',
      '--daemonize',
      '--gevent',
    ]);
  });
  test('every refusal says what to use, none promises a later version', () => {
    const answers = [...Object.values(uwsgiOptions), ...uwsgiFamilies.map(({ answer }) => answer)];
    const texts = answers.flatMap((answer) => (answer.verdict === 'refused' ? [answer.here] : []));
    expect(texts.length).toBeGreaterThan(20);
    expect(texts.filter((text) => text.length < 20 || /\byet\b|later version|recognised/.test(text))).toEqual([]);
  });
  test('an essential option that is not supported is refused', () => {
    expect(faultsOf(load(['--ini', 'a.ini', '--mount', '/a=b'], {}))).toEqual([
      '--ini: only YAML is read, with --yaml FILE',
      '--mount: let nginx pass the prefix to the app: genkan nginx --base /prefix/',
    ]);
  });
  test('UWSGI_ variables are read for shared names, and GENKAN_ overrides them', () => {
    const loaded = load([], {
      UWSGI_HTTP_SOCKET: ':1',
      UWSGI_THREADS: '2',
      UWSGI_HTTP: ':2',
      GENKAN_HTTP: ':3',
      UWSGI_GRACE: '9',
    });
    expect(loaded).toMatchObject({ settings: { 'http-socket': [{ port: 1 }], http: [{ port: 3 }], grace: 30 } });
    expect(loaded.notes.map((note) => note.split(':')[0])).toEqual(['UWSGI_THREADS', 'UWSGI_GRACE']);
  });
});

describe('explain', () => {
  test('prints every setting and every option, in lines that fit', () => {
    for (const name of [...settingNames, ...Object.keys(uwsgiOptions)]) {
      const explanation = explain(name);
      expect('text' in explanation && explanation.text.startsWith(name)).toBe(true);
      expect('text' in explanation && explanation.text.split('\n').every((line) => line.length <= 100)).toBe(true);
      expect(explainAll()).toMatch(new RegExp(`^  ${name}( |$)`, 'm'));
    }
  });
  test('prints what uWSGI does, and what differs here', () => {
    expect(explain('--harakiri')).toMatchObject({
      text: expect.stringMatching(/Meaning: .*503[\s\S]*uWSGI: .*kills[\s\S]*Different: [\s\S]*Set by: /),
    });
    expect(explain('grace')).toEqual({
      text: expect.stringMatching(/^grace SECONDS\n {2}Meaning: .+\n {2}Set by: [^\n]+$/),
    });
    expect(explain('worker-reload-mercy')).toMatchObject({
      text: expect.stringMatching(/called drain-timeout[\s\S]*GENKAN_DRAIN_TIMEOUT/),
    });
    expect(explain('cheaper-algo')).toMatchObject({ text: expect.stringContaining('has no effect') });
    expect(explain('-p')).toEqual(explain('processes'));
    expect(explain('proceses')).toEqual({
      faults: ['proceses: not a setting, and not a known option of uWSGI; did you mean processes?'],
    });
  });
});
