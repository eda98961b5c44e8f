/** Settings files: what is read, and every error with its line. */
import { describe, expect, test } from 'vitest';
import { load } from '../../app/config/load.ts';
import { faultsOf, loadYaml, settingsOf } from './loading.ts';

/** The faults of these lines below `genkan:`, which is line 1, without the file's name. */
const wrong = (lines: string, environment: Record<string, string> = {}) =>
  faultsOf(
    loadYaml(
      `genkan:\n${lines
        .split('\n')
        .map((line) => `  ${line}`)
        .join('\n')}\n`,
      [],
      environment,
    ),
  ).map((fault) => fault.replace(/^f\.yaml:/, ''));

describe('the contents of a file', () => {
  test('are scalars, lists, and one value in place of a list', () => {
    const settings = settingsOf(
      loadYaml(
        'genkan:\n  http: :9090\n  socket:\n    - 127.0.0.1:3031\n    - /run/a.sock\n  allow-from: [10.0.0.1, "10.1.0.0/16"]\n' +
          '  http-socket: []\n  master: true\n  grace: 12 # seconds\n  log-level: debug\n',
      ),
    );
    expect(settings).toMatchObject({
      http: [{ port: 9090 }],
      socket: [{ port: 3031 }, { path: '/run/a.sock' }],
      'allow-from': ['10.0.0.1', '10.1.0.0/16'],
      'http-socket': [],
      master: true,
      grace: 12,
      'log-level': 'debug',
    });
  });
  test.each([
    ['"660"', '660'],
    ["'0660'", '0660'],
    ['660', '660'],
    ['0660', '0660'],
  ])('the mode %s keeps its digits as written', (written, mode) => {
    expect(settingsOf(loadYaml(`genkan:\n  chmod-socket: ${written}\n`))['chmod-socket']).toBe(mode);
  });
  test.each(['0o660', '6.60e2', '0x294', '999', '432.0'])('the mode %s is refused', (written) => {
    expect(wrong(`chmod-socket: ${written}`)).toEqual(['2: chmod-socket: must be an octal mode such as 660']);
  });
  test('anchors are resolved', () => {
    expect(settingsOf(loadYaml('genkan:\n  grace: &n 9\n  poll-grace: *n\n'))).toMatchObject({
      grace: 9,
      'poll-grace': 9,
    });
  });
  test('an empty section sets nothing', () => {
    expect(settingsOf(loadYaml('genkan:\n')).grace).toBe(30);
  });
});

describe('sections', () => {
  test.each([
    ['f', 'genkan: {grace: 5}', 5],
    ['f', 'uwsgi: {grace: 6}', 6],
    ['f:prod', 'genkan: {grace: 5}\nprod: {grace: 7}', 7],
    ['f:uwsgi', 'genkan: {grace: 5}\nuwsgi: {grace: 8}', 8],
    ['f', 'genkan: {grace: 5}\nother: {program: 1}', 5],
  ])('--yaml %s of %j', (where, text, grace) => {
    const loaded = load(['--yaml', where], {}, (path) => (path === 'f' ? text : ''));
    expect(settingsOf(loaded).grace).toBe(grace);
  });
  test.each([
    ['f', 'genken: {grace: 5}', 'f: has no section "genkan:"; did you mean genken, which is written f:genken?'],
    ['f', 'other: {a: 5}', 'f: has no section "genkan:"'],
    ['f:prod', 'genkan: {grace: 5}', 'f: has no section "prod:"'],
    ['f', 'genkan: {}\nuwsgi: {}', 'f: has both "genkan:" and "uwsgi:"; name the one that is meant: f:genkan'],
    ['f', 'genkan: {}\ngrace: 5', 'f:2: grace: is outside a section; settings go below "genkan:", indented'],
    ['f', 'genkan: 5', 'f:1: genkan: settings go below it, indented, as name: value'],
    ['f', 'genkan: [a]', 'f:1: genkan: settings go below it, indented, as name: value'],
    ['f', '', 'f: has no section; settings go below "genkan:"'],
    ['f', '- a', 'f: has no section; settings go below "genkan:"'],
  ])('--yaml %s of %j is refused', (where, text, fault) => {
    expect(faultsOf(load(['--yaml', where], {}, () => text))).toEqual([fault]);
  });
  test('a missing file is named', () => {
    expect(faultsOf(load(['--yaml', '/no/such.yaml'], {}))).toEqual([
      expect.stringMatching(/^\/no\/such\.yaml: cannot be read: ENOENT/),
    ]);
  });
});

describe('faults are reported with their line', () => {
  test.each([
    ['max-peer: 3', ['2: max-peer: there is no such setting; did you mean max-peers?']],
    ['grace: 5\ngrace: 6', ['3: duplicate key']],
    ['workers: 1\nprocesses: 1', ['3: processes: sets the same as f.yaml:2: workers']],
    ['grace: "5"', ['2: grace: must be a whole number, without quotes; "5" is text']],
    ['grace: 5s', ['2: grace: must be a whole number, without quotes; "5s" is text']],
    ['grace: 5.5', ['2: grace: must be a whole number from 1 to 86400']],
    ['grace: .inf', ['2: grace: must be a whole number from 1 to 86400']],
    ['grace:', ['2: grace: a value is missing']],
    ['grace: [5]', ['2: grace: takes one value, not a list']],
    ['grace: {a: 5}', ['2: grace: takes a value, not keys or lists of its own']],
    ['master: yes', ['2: master: must be true or false, without quotes; "yes" is text']],
    ['master: 1', ['2: master: must be true or false']],
    ['pidfile: true', ['2: pidfile: must be a path']],
    ['http:\n  - :1\n  - 9090\n  - [x]', ['5: http: takes a value, not keys or lists of its own']],
    ['http:\n  - :1\n  - 9090', [expect.stringMatching(/^4: http: "9090" is not an address/)]],
    ['stats: {host: a, port: 1}', ['2: stats: takes a value, not keys or lists of its own']],
    ['<<: {grace: 5}', ['2: <<: there is no such setting']],
    ['? [a]\n: 5', ['2: this key: is not a name']],
    ['yaml: other.yaml', ['2: yaml: a file cannot include another; pass several with --yaml']],
    [
      'constructor: 4\n__proto__: 5',
      ['2: constructor: there is no such setting', '3: __proto__: there is no such setting'],
    ],
    ['p: 4', ['2: p: there is no such setting']],
    ['log-level: loud', ['2: log-level: must be one of: trace, debug, info, warn, error, silent']],
    ['log-level: !loud info', ['2: Unresolved tag: !loud']],
    [
      'grace: 0\nmax-peers: 1\nhttpp: :1',
      [
        '4: httpp: there is no such setting; did you mean http?',
        '3: max-peers: must be a whole number from 2 to 1000',
        '2: grace: must be a whole number from 1 to 86400',
      ],
    ],
  ])('%j', (lines, faults) => {
    expect(wrong(lines)).toEqual(faults);
  });
  test.each([
    ['genkan:\n\tgrace: 5', /^f\.yaml:2: Tabs/],
    ['genkan:\n  http: [a\n  b: c', /^f\.yaml:\d: /],
    ['genkan: {}\n---\ngenkan: {}', /^f\.yaml:2: Source contains multiple documents/],
  ])('%j is not valid YAML', (text, fault) => {
    const faults = faultsOf(loadYaml(text));
    expect(faults[0]).toMatch(fault);
    expect(faults.join()).not.toContain('\n');
  });
});

describe('variables', () => {
  test('are replaced from the environment, and parsed like their setting', () => {
    const environment = { PORT: '81', SECONDS: '7', ON: 'true', EMPTY: '', WITH: 'a: b # c' };
    const text =
      `genkan:\n  http: ":\${PORT}"\n  socket: [":$(PORT)2", ":\${NONE:-82}", "\${EMPTY}"]\n  grace: \${SECONDS}\n  master: \${ON}\n` +
      `  max-peers: \${EMPTY}\n  poll-wait: \${EMPTY:-3}\n  chdir: /$\${PORT}/$(WITH)/$HOME\n  uid: \${NONE:-}\n`;
    const settings = settingsOf(loadYaml(text, [], environment));
    expect(settings).not.toHaveProperty('uid');
    expect(settings).toMatchObject({
      http: [{ port: 81 }],
      socket: [{ port: 812 }, { port: 82 }],
      grace: 7,
      master: true,
      'max-peers': 16,
      'poll-wait': 3,
      chdir: `/\${PORT}/a: b # c/$HOME`,
    });
  });
  test.each([
    [
      'grace: $(SECS)',
      `2: grace: the environment variable SECS is not set; write \${SECS:-default} if it may be absent`,
    ],
    [
      `http: \${HOST}:1`,
      `2: http: the environment variable HOST is not set; write \${HOST:-default} if it may be absent`,
    ],
    [`chdir: "\${"`, `2: chdir: "\${" is not understood; write \${NAME} or \${NAME:-default}`],
    [`chdir: \${A-b}`, `2: chdir: "\${A-b}" is not understood; write \${NAME} or \${NAME:-default}`],
    ['chdir: $(A:-b)', `2: chdir: "$(A:-b)" is not understood; write \${NAME} or \${NAME:-default}`],
    [`grace: \${WORD}`, '2: grace: must be a whole number from 1 to 86400'],
  ])('%j', (lines, fault) => {
    expect(wrong(lines, { WORD: 'x' })).toEqual([fault]);
  });
});
