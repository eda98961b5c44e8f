/** Everything generated from the schema: help, the printed configuration, the JSON Schema, the shipped files. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import Fastify, { type FastifyInstance } from 'fastify';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { helpText } from '../../app/config/help.ts';
import { jsonSchema } from '../../app/config/json-schema.ts';
import { load } from '../../app/config/load.ts';
import { printConfig } from '../../app/config/print.ts';
import { groups, settingNames } from '../../app/config/schema.ts';
import { faultsOf, loadYaml, settingsOf } from './loading.ts';

const deploy = join(import.meta.dirname, '../../deploy');
const shipped = ['standalone.yaml', 'nginx-uwsgi.yaml', 'nginx-http.yaml'];

describe('help', () => {
  const tooLong = (text: string): string[] => text.split('\n').filter((line) => line.length > 100);
  const listed = (text: string): string[] =>
    [...text.matchAll(/^ {2}(?:-\w, )?--([\w-]+) /gm)].map(([, name = '']) => name);

  test('has every setting in one group, and in --help --all', () => {
    expect(Object.values(groups).flatMap(Object.keys).toSorted()).toEqual(settingNames.toSorted());
    const text = helpText(true);
    expect(listed(text).toSorted()).toEqual(settingNames.toSorted());
    expect(tooLong(text)).toEqual([]);
  });
  test('shows the common settings on two screens', () => {
    const text = helpText(false);
    expect(listed(text).length).toBeGreaterThan(30);
    expect(listed(text).length).toBeLessThan(50);
    expect(text.split('\n').length).toBeLessThanOrEqual(100);
    expect(tooLong(text)).toEqual([]);
    expect(text).not.toContain('not set)');
    expect(text.split('\n').at(-1)).toBe('genkan --help --all lists every setting; genkan explain NAME explains one.');
  });
});

describe('print-config', () => {
  const printed = (loaded: ReturnType<typeof load>): string =>
    'given' in loaded ? printConfig(loaded.given) : loaded.faults.join();

  test('can be loaded again with the same result', () => {
    const first = load(
      ['--http', ':9090', '--http', '[::1]:1', '--master', '--chmod-socket', '0600', '--chdir', `/a \${B} #`],
      {
        GENKAN_STUN_URL: 'stun:a:1,stun:b:2',
        GENKAN_GRACE: '7',
      },
    );
    const again = loadYaml(printed(first));
    expect(settingsOf(again)).toEqual({ ...settingsOf(first), yaml: ['f.yaml'] });
  });
  test('explains each setting and shows its source', () => {
    const text = printed(
      loadYaml('uwsgi:\n  grace: 5\n', ['--max-peers', '3', '--http', ':1'], { GENKAN_LOG_LEVEL: 'warn' }),
    );
    expect(text).toContain('\n  grace: 5  # from f.yaml:2: grace\n');
    expect(text).toContain('\n  max-peers: 3  # from --max-peers\n');
    expect(text).toContain('\n  log-level: warn  # from GENKAN_LOG_LEVEL\n');
    expect(text).toContain('\n  http: [":1"]  # from --http\n');
    expect(text).toContain('\n  chmod-socket: "660"\n');
    expect(text).toContain('\n  # pidfile: not set\n');
    for (const name of settingNames) expect(text).toMatch(new RegExp(`^  (# )?${name}: `, 'm'));
  });
});

describe('the JSON Schema', () => {
  // Fastify includes a JSON Schema validator.
  let app: FastifyInstance;
  beforeAll(async () => {
    app = Fastify({ ajv: { customOptions: { coerceTypes: false, removeAdditional: false, useDefaults: false } } });
    app.post('/', { schema: { body: jsonSchema() } }, () => 'sound');
    await app.ready();
  });
  afterAll(() => app.close());
  const accepts = async (text: string) =>
    (await app.inject({ method: 'POST', url: '/', payload: parse(text) })).statusCode === 200;

  test.each(shipped)('accepts %s', async (file) => {
    expect(await accepts(readFileSync(join(deploy, file), 'utf8'))).toBe(true);
  });
  test('accepts what print-config prints', async () => {
    const loaded = load(['--http', ':1', '--chdir', '/x'], {});
    expect(await accepts('given' in loaded ? printConfig(loaded.given) : '')).toBe(true);
  });
  test.each([
    ['genkan: {grace: 5, http: ":1", socket: [":2", "/a"], master: true, chmod-socket: "660"}', true],
    [`uwsgi: {grace: "\${A:-5}", workers: 1, enable-threads: true, threads: 2, cheaper: 1, socket-timeout: 4}`, true],
    ['prod: {grace: 5}', true],
    ['genkan: {graze: 5}', false],
    ['genkan: {grace: "5"}', false],
    ['genkan: {grace: 0}', false],
    ['genkan: {grace: [5]}', false],
    ['genkan: {http: 9090}', false],
    ['genkan: {chmod-socket: 660}', false],
    ['genkan: {log-level: loud}', false],
    ['genkan: {ini: a.ini}', false],
    ['genkan: {yaml: a.yaml}', false],
  ])('%j: %j', async (text, sound) => {
    expect(await accepts(text)).toBe(sound);
  });
});

describe('the files in deploy/', () => {
  test.each([
    ['standalone.yaml', 'http', [{ kind: 'tcp', host: '127.0.0.1', port: 9090 }]],
    ['nginx-uwsgi.yaml', 'socket', [{ kind: 'tcp', host: '127.0.0.1', port: 3031 }]],
    ['nginx-http.yaml', 'http-socket', [{ kind: 'tcp', host: '127.0.0.1', port: 3031 }]],
  ])('%s loads, and listens by %s only', (file, listener, addresses) => {
    const loaded = load(['--yaml', join(deploy, file)], {});
    expect(faultsOf(loaded)).toEqual([]);
    expect(loaded.notes).toEqual([]);
    const { http, 'http-socket': httpSocket, socket } = settingsOf(loaded);
    expect({ http, 'http-socket': httpSocket, socket }).toEqual({
      http: [],
      'http-socket': [],
      socket: [],
      [listener]: addresses,
    });
  });
  test.each(shipped)('the commented examples in %s are valid too', (file) => {
    const examples = readFileSync(join(deploy, file), 'utf8').replace(/^ {2}# (?=[a-z-]+: \S+$)/gm, '  ');
    expect(faultsOf(loadYaml(examples))).toEqual([]);
  });
});
