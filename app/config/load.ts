/** Flags, environment and files → settings, or all faults at once. Precedence: flags > environment > file > default. */
import { readFileSync } from 'node:fs';
import type { z } from 'zod';
import { findConflicts, type Where } from './cross-checks.ts';
import type { Environment } from './expand.ts';
import type { Part, RawSetting, RawSettings } from './raw-settings.ts';
import { messageOf, type Result } from './result.ts';
import { type Settings, schema } from './schema.ts';
import { metadataOf } from './setting-metadata.ts';
import { readEnvironment, readUwsgiEnvironment } from './sources/environment.ts';
import { readFlags } from './sources/flags.ts';
import { readYaml } from './sources/yaml.ts';
import { isRepeatable } from './value-types.ts';

/** `notes`: warnings. `given`: settings that are not left to their default, by name, with their source. */
export type Loaded<S = Settings> = Result<{ settings: S; given: Map<string, RawSetting> }> & { notes: string[] };

/** @throws when the file cannot be read */
type ReadFile = (path: string) => string;
const readText: ReadFile = (path) => readFileSync(path, 'utf8');

export const load = (argv: string[], environment: Environment, read: ReadFile = readText): Loaded =>
  loadAs(schema, findConflicts, argv, environment, read);

/** The same for any schema; `combined` finds conflicts between settings that are valid individually. */
export const loadAs = <S extends z.ZodObject>(
  wanted: S,
  combined: (settings: z.output<S>, where: Where) => string[],
  argv: string[],
  environment: Environment,
  read: ReadFile = readText,
): Loaded<z.output<S>> => {
  const overrides = [
    readUwsgiEnvironment(wanted, environment),
    readEnvironment(wanted, environment),
    readFlags(wanted, argv),
  ];
  const files =
    merge(overrides)
      .get('yaml')
      ?.parts.map(({ value }) => String(value)) ?? [];
  const readings = [...files.map((file) => readYaml(wanted, file, environment, read)), ...overrides];
  const faults = readings.flatMap((reading) => reading.faults);
  const notes = readings.flatMap((reading) => reading.notes);
  const given = readSecretFiles(wanted, merge(readings), read, faults);
  const settings = check(wanted, combined, given, faults);
  notes.push(...exposedSecrets(wanted, given));
  return settings && faults.length === 0 ? { settings, notes, given } : { faults, notes };
};

/** Later readings override earlier ones. */
const merge = (readings: RawSettings[]): Map<string, RawSetting> =>
  new Map(readings.flatMap(({ given }) => given.map((one) => [one.name, one])));

/** Replaces the path of a secret's file by its content; for a list of secrets, one per line. */
const readSecretFiles = (
  wanted: z.ZodObject,
  given: Map<string, RawSetting>,
  read: ReadFile,
  faults: string[],
): Map<string, RawSetting> =>
  new Map(
    [...given].flatMap(([name, one]) => {
      const [path] = one.parts.slice(-1);
      if (!one.fromFile || !path) return [[name, one]];
      try {
        // Editors end files with a line break, which is not part of the secret.
        const text = read(String(path.value)).replace(/\r?\n$/, '');
        const setting = wanted.shape[name];
        const values = setting && isRepeatable(setting) ? text.split(/\r?\n/) : [text];
        const parts = values.map((value) => ({ value, source: path.source }));
        return [[name, { ...one, parts, path: String(path.value) }]];
      } catch (error) {
        faults.push(`${path.source}: cannot be read: ${messageOf(error)}`);
        return [];
      }
    }),
  );

/** Undefined when the valid settings do not parse even without the faulty ones. Conflicts are checked among the valid ones. */
const check = <S extends z.ZodObject>(
  wanted: S,
  combined: (settings: z.output<S>, where: Where) => string[],
  given: Map<string, RawSetting>,
  faults: string[],
): z.output<S> | undefined => {
  const where: Where = (name, index) => sourceOf(given.get(name), index) ?? `${name} (the default)`;
  const first = wanted.safeParse(rawOf(wanted, given));
  const invalid = new Set(first.success ? [] : first.error.issues.map(({ path }) => String(path[0])));
  for (const { path, message } of first.success ? [] : first.error.issues)
    faults.push(describe(wanted, given.get(String(path[0])), path, message));
  const valid = new Map([...given].filter(([name]) => !invalid.has(name)));
  const settings = wanted.safeParse(rawOf(wanted, valid));
  if (!settings.success) return undefined;
  faults.push(...combined(settings.data, where));
  return settings.data;
};

const rawOf = (wanted: z.ZodObject, given: Map<string, RawSetting>): Record<string, unknown> =>
  Object.fromEntries(
    [...given].map(([name, { parts }]) => {
      const setting = wanted.shape[name];
      const values = parts.map(({ value }) => value);
      return [name, setting && isRepeatable(setting) ? values : values.at(-1)];
    }),
  );

const sourceOf = (given: RawSetting | undefined, index?: number): string | undefined =>
  (index === undefined ? given?.parts.at(-1) : given?.parts[index])?.source ?? given?.source;

const describe = (wanted: z.ZodObject, given: RawSetting | undefined, path: PropertyKey[], message: string): string => {
  const [name, index] = path;
  const source = sourceOf(given, typeof index === 'number' ? index : undefined) ?? String(name);
  const setting = wanted.shape[String(name)];
  const secret = setting !== undefined && metadataOf(setting).secret === true;
  return `${source}: ${secret ? redact(message, given?.parts ?? []) : message}`;
};

const redact = (message: string, parts: Part[]): string =>
  parts.reduce((text, { value }) => (value === '' ? text : text.replaceAll(String(value), '…')), message);

const exposedSecrets = (wanted: z.ZodObject, given: Map<string, RawSetting>): string[] =>
  [...given].flatMap(([name, one]) => {
    const setting = wanted.shape[name];
    const source = sourceOf(one) ?? name;
    const exposed = setting && metadataOf(setting).secret && !one.fromFile && source.startsWith('-');
    return exposed ? [`${source}: everyone on this machine can read a command line; use --${name}_file`] : [];
  });
