/** Settings from the command line: `--name value`, `--name=value`, `-p 4`, and bare `--name` for booleans. */
import type { z } from 'zod';
import { emptyRawSettings, type RawSetting, type RawSettings, take } from '../raw-settings.ts';
import { type Meaning, meaningOf, unknown } from '../resolve-name.ts';
import { isFlagWord } from '../value-types.ts';

export const readFlags = (schema: z.ZodObject, argv: string[]): RawSettings => {
  const reading = emptyRawSettings();
  const words = [...argv];
  for (let word = words.shift(); word !== undefined; word = words.shift()) {
    const flag = parseFlag(schema, word);
    if (!flag) {
      const hint = /\.ya?ml(:|$)/.test(word)
        ? `for a file of settings write --yaml ${word}`
        : 'settings are written --name value';
      reading.faults.push(`${word}: not understood; ${hint}`);
      continue;
    }
    const value = flag.inline ?? (isValueOf(flag.meaning, words[0]) ? words.shift() : undefined);
    if (value === undefined && takes(flag.meaning) === 'value')
      reading.faults.push(`${flag.source}: a value is missing`);
    else
      take(
        reading,
        flag.meaning,
        { source: flag.source, parts: [{ value: value ?? true, source: flag.source }] },
        spell,
      );
  }
  return { ...reading, given: combine(reading.given) };
};

const spell = (name: string): string => `--${name}`;

type Flag = { source: string; meaning: Meaning; inline?: string | undefined };

const parseFlag = (schema: z.ZodObject, word: string): Flag | undefined => {
  const [, long, inline] = /^--([^=]+)(?:=(.*))?$/s.exec(word) ?? [];
  if (long !== undefined) return { source: `--${long}`, meaning: meaningOf(schema, long), inline };
  const [, short, rest] = /^-([^-])=?(.*)$/s.exec(word) ?? [];
  if (short === undefined) return undefined;
  const meaning = meaningOf(schema, short, true);
  // -p4 and -p=4 mean -p 4, but -master and -processes lack a dash.
  const whole = word.slice(1);
  if (rest && (takes(meaning) !== 'value' || meaningOf(schema, whole).kind !== 'unknown'))
    return { source: word, meaning: unknown(schema, whole) };
  return { source: `-${short}`, meaning, inline: rest || undefined };
};

const takes = (meaning: Meaning): 'flag' | 'value' | 'unknown' => {
  switch (meaning.kind) {
    case 'setting':
      return meaning.form.kind === 'flag' ? 'flag' : 'value';
    case 'answer':
      return meaning.answer.takes;
    case 'unknown':
      return 'unknown';
  }
};

/** Whether the next word is the value of this flag. An unknown flag consumes its value as well: one fault is enough. */
const isValueOf = (meaning: Meaning, next: string | undefined): boolean => {
  if (next === undefined || /^-(?!\d)/.test(next)) return false;
  return takes(meaning) !== 'flag' || isFlagWord(next);
};

/** Repeated flags extend lists; for other settings the last flag wins, so that a script can append to a command line. */
const combine = (given: RawSetting[]): RawSetting[] => {
  const combined = new Map<string, RawSetting>();
  for (const next of given) {
    const before = combined.get(next.name);
    const grows = before?.fromFile === next.fromFile;
    combined.set(next.name, grows ? { ...next, parts: [...before.parts, ...next.parts] } : next);
  }
  return [...combined.values()];
};
