/** Settings marked secret: read from files, never printed. With a schema of this test that has every kind of secret. */
import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { settingsText } from '../../app/config/help.ts';
import { jsonSchema } from '../../app/config/json-schema.ts';
import { loadAs } from '../../app/config/load.ts';
import { printConfig } from '../../app/config/print.ts';
import { settingMetadata } from '../../app/config/setting-metadata.ts';
import { list, text } from '../../app/config/value-types.ts';
import { faultsOf, reading, settingsOf } from './loading.ts';

const settings = {
  'token-key': text(/^\S{4,}$/, 'at least four letters', 'KEY')
    .optional()
    .register(settingMetadata, { help: 'key', secret: true }),
  'old-keys': list(text(/^\S{4,}$/, 'at least four letters', 'KEY')).register(settingMetadata, {
    help: 'keys',
    secret: true,
  }),
  echo: z
    .string()
    .refine(() => false, { error: ({ input }) => `"${input}" will not do` })
    .optional()
    .register(settingMetadata, { help: 'says what it got', secret: true }),
  open: z.string().default('x').register(settingMetadata, { help: 'no secret' }),
  yaml: z.array(z.string()).default([]).register(settingMetadata, { help: 'files' }),
};
const schema = z.object(settings);
const files = reading({
  '/run/key': 'from-file\n',
  '/run/short': 'abc',
  '/run/keys': 'first-key\nsecond-key\r\n',
  '/run/odd-keys': 'first-key\n\nabc\n',
  'a.yaml': 'genkan:\n  token-key_file: /run/key\n',
  'both.yaml': 'genkan:\n  token-key_file: /run/key\n  token-key: hunter22\n',
  'none.yaml': 'genkan:\n  token-key_file: /run/none\n  open_file: /run/key\n',
});
const load = (argv: string[], environment: Record<string, string> = {}) =>
  loadAs(schema, () => [], argv, environment, files);

describe('a secret', () => {
  test.each([
    [['--token-key', 'hunter22'], {}, 'hunter22'],
    [['--token-key_file', '/run/key'], {}, 'from-file'],
    [['--token-key-file=/run/key'], {}, 'from-file'],
    [[], { GENKAN_TOKEN_KEY_FILE: '/run/key' }, 'from-file'],
    [['--yaml', 'a.yaml'], {}, 'from-file'],
    [['--yaml', 'a.yaml'], { GENKAN_TOKEN_KEY: 'hunter22' }, 'hunter22'],
    [['--token-key', 'hunter22'], { GENKAN_TOKEN_KEY_FILE: '/run/none' }, 'hunter22'],
    [[], {}, undefined],
  ])('%j with %j', (argv, environment, value) => {
    expect(settingsOf(load(argv, environment))['token-key']).toBe(value);
  });
  test('that may have several values has one on each line of its file', () => {
    const keysOf = (...argv: string[]) => settingsOf(load(argv))['old-keys'];
    expect(keysOf('--old-keys_file', '/run/keys')).toEqual(['first-key', 'second-key']);
    expect(keysOf('--old-keys', 'hunter22', '--old-keys', 'hunter23')).toEqual(['hunter22', 'hunter23']);
    const place = '--old-keys_file: must be at least four letters';
    expect(faultsOf(load(['--old-keys_file', '/run/odd-keys']))).toEqual([place, place]);
  });
  test('on the command line gives a warning', () => {
    expect(load(['--token-key', 'hunter22']).notes).toEqual([
      '--token-key: everyone on this machine can read a command line; use --token-key_file',
    ]);
    expect(load(['--token-key_file', '/run/key'], { GENKAN_OPEN: 'y' }).notes).toEqual([]);
  });
  test.each([
    [['--token-key_file', '/run/short'], {}, ['--token-key_file: must be at least four letters']],
    [['--yaml', 'both.yaml'], {}, ['both.yaml:3: token-key: sets the same as both.yaml:2: token-key_file']],
    [
      [],
      { GENKAN_TOKEN_KEY: 'hunter22', GENKAN_TOKEN_KEY_FILE: '/run/key' },
      [expect.stringMatching(/sets the same as GENKAN_TOKEN_KEY$/)],
    ],
    [
      ['--yaml', 'none.yaml'],
      {},
      [
        'none.yaml:3: open_file: there is no such setting',
        expect.stringMatching(/^none\.yaml:2: token-key_file: cannot be read: ENOENT/),
      ],
    ],
    [['--echo', 'hunter22'], {}, ['--echo: "…" will not do']],
  ])('%j with %j is refused', (argv, environment, faults) => {
    expect(faultsOf(load(argv, environment))).toEqual(faults);
  });
  test('is never printed, only its source', () => {
    const printed = (argv: string[], environment = {}) => {
      const loaded = load(argv, environment);
      return 'given' in loaded ? printConfig(loaded.given, { Test: settings }) : loaded.faults.join();
    };
    expect(printed(['--token-key', 'hunter22'])).toContain('  # token-key: not shown; from --token-key\n');
    expect(printed([], { GENKAN_TOKEN_KEY_FILE: '/run/key' })).toContain(
      '  token-key_file: /run/key  # from GENKAN_TOKEN_KEY_FILE\n',
    );
    for (const text of [printed(['--token-key', 'hunter22']), printed(['--token-key_file', '/run/key'])])
      expect(text).not.toMatch(/hunter22|from-file/);
  });
  test('has its _file variant in the help and the JSON Schema', () => {
    expect(settingsText({ Test: settings })).toContain('--token-key_file PATH');
    expect(JSON.stringify(jsonSchema(schema))).toContain('"token-key_file"');
    expect(JSON.stringify(jsonSchema(schema))).not.toContain('"open_file"');
  });
});
