/** What a word written as a setting's name means: a setting by one of its names, an option of uWSGI, or nothing known. */
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
  const found = settingCalled(schema, word) ?? secretFile(schema, word);
  if (found) return found;
  const name = short ? (shortOptions[word] ?? word) : word;
  const answer = answerTo(name);
  if (answer && answer.verdict !== 'renamed') return { kind: 'answer', answer };
  const target = answer && settingCalled(schema, answer.to);
  if (answer && target) return { ...target, renamed: answer };
  return unknown(schema, word);
};

/** With the nearest name that is known. */
export const unknown = (schema: z.ZodObject, word: string): Meaning => {
  const near = suggest(word.replaceAll('_', '-'), knownNames(schema));
  return { kind: 'unknown', ...(near === undefined ? {} : { nearest: near }) };
};

/** Every name that may be written, letters apart. */
const knownNames = (schema: z.ZodObject): string[] =>
  [
    ...Object.entries(schema.shape).flatMap(([name, setting]) => [name, ...(metadataOf(setting).also ?? [])]),
    ...Object.keys(uwsgiOptions),
  ].filter((name) => name.length > 1);

const settingCalled = (schema: z.ZodObject, word: string): Setting | undefined => {
  const found = Object.entries(schema.shape).find(
    ([name, setting]) => name === word || metadataOf(setting).also?.includes(word),
  );
  if (!found) return undefined;
  const [name, setting] = found;
  return { kind: 'setting', name, form: valueTypeOf(setting), repeatable: isRepeatable(setting), fromFile: false };
};

/** `NAME_file` (`NAME-file` as well, which the environment cannot tell apart) for settings marked secret. */
const secretFile = (schema: z.ZodObject, word: string): Setting | undefined => {
  const [, name] = /^(.+)[-_]file$/.exec(word) ?? [];
  const found = name === undefined ? undefined : settingCalled(schema, name);
  const setting = found && schema.shape[found.name];
  if (!found || !setting || !metadataOf(setting).secret) return undefined;
  return { ...found, form: { kind: 'text', shown: 'PATH' }, repeatable: false, fromFile: true };
};
