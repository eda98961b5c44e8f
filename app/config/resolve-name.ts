/** Resolves a name: to a setting (by its name or an alias), to an option of uWSGI, or to neither. */
import type { z } from 'zod';
import { metadataOf } from './setting-metadata.ts';
import { suggest } from './suggest.ts';
import { answerTo, shortOptions, type UwsgiAnswer, type UwsgiVerdict, uwsgiOptions } from './uwsgi-compat/options.ts';
import { isRepeatable, type ValueType, valueTypeOf } from './value-types.ts';

export type Meaning =
  | { kind: 'setting'; name: string; form: ValueType; repeatable: boolean; fromFile: boolean; renamed?: Renamed }
  | { kind: 'answer'; answer: UwsgiVerdict }
  | { kind: 'unknown'; nearest?: string };
type Renamed = Extract<UwsgiAnswer, { verdict: 'renamed' }>;
type Setting = Extract<Meaning, { kind: 'setting' }>;

/**
 * @param word without dashes
 * @param short whether it is a single letter behind a single dash, which only a command line has
 */
export const meaningOf = (schema: z.ZodObject, word: string, short = false): Meaning => {
  if ((word.length === 1) !== short) return { kind: 'unknown' };
  const found = findSetting(schema, word) ?? secretFile(schema, word);
  if (found) return found;
  const name = short ? (shortOptions[word] ?? word) : word;
  const answer = answerTo(name);
  if (answer && answer.verdict !== 'renamed') return { kind: 'answer', answer };
  const target = answer && findSetting(schema, answer.to);
  if (answer && target) return { ...target, renamed: answer };
  return unknown(schema, word);
};

/** With the nearest known name, if one is near enough. */
export const unknown = (schema: z.ZodObject, word: string): Meaning => {
  const nearest = suggest(word.replaceAll('_', '-'), knownNames(schema));
  return { kind: 'unknown', ...(nearest === undefined ? {} : { nearest }) };
};

/** Every accepted name except single letters. */
const knownNames = (schema: z.ZodObject): string[] =>
  [
    ...Object.entries(schema.shape).flatMap(([name, setting]) => [name, ...(metadataOf(setting).also ?? [])]),
    ...Object.keys(uwsgiOptions),
  ].filter((name) => name.length > 1);

const findSetting = (schema: z.ZodObject, word: string): Setting | undefined => {
  const found = Object.entries(schema.shape).find(
    ([name, setting]) => name === word || metadataOf(setting).also?.includes(word),
  );
  if (!found) return undefined;
  const [name, setting] = found;
  return { kind: 'setting', name, form: valueTypeOf(setting), repeatable: isRepeatable(setting), fromFile: false };
};

/** `NAME_file` for settings marked secret; `NAME-file` as well, because the environment cannot distinguish them. */
const secretFile = (schema: z.ZodObject, word: string): Setting | undefined => {
  const [, name] = /^(.+)[-_]file$/.exec(word) ?? [];
  const found = name === undefined ? undefined : findSetting(schema, name);
  const setting = found && schema.shape[found.name];
  if (!found || !setting || !metadataOf(setting).secret) return undefined;
  return { ...found, form: { kind: 'text', shown: 'PATH' }, repeatable: false, fromFile: true };
};
