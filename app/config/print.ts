/** The text of `genkan print-config`: the settings in effect as YAML that can be loaded again, without secrets. */
import type { z } from 'zod';
import type { RawSetting } from './raw-settings.ts';
import { groups } from './schema.ts';
import { type Groups, metadataOf, showDefault } from './setting-metadata.ts';
import { width, wrap } from './text-columns.ts';
import { defaultOf, isRepeatable, valueTypeOf } from './value-types.ts';

/** @param given settings that are not left to their default, by name */
export const printConfig = (given: Map<string, RawSetting>, shown: Groups = groups): string =>
  [
    '# The settings in effect. "genkan explain NAME" says more; --json-schema prints a schema for editors.',
    'genkan:',
    ...Object.entries(shown).flatMap(([title, settings]) => [
      `  # ---- ${title} ----`,
      ...Object.entries(settings).flatMap(([name, setting]) => [
        '',
        ...comment(setting),
        entry(name, setting, given.get(name)),
      ]),
      '',
    ]),
  ].join('\n');

const comment = (setting: z.core.$ZodType): string[] => {
  const { help } = metadataOf(setting);
  return wrap(`${help} (${showDefault(setting) ?? 'not set'})`, width - 4).map((line) => `  # ${line}`);
};

const entry = (name: string, setting: z.core.$ZodType, given: RawSetting | undefined): string => {
  const from = given ? `  # from ${given.source}` : '';
  if (metadataOf(setting).secret) {
    if (given?.path !== undefined) return `  ${name}_file: ${scalar(given.path)}${from}`;
    return given ? `  # ${name}: not shown;${from.replace('  #', '')}` : `  # ${name}: not set`;
  }
  const value = given ? effectiveValue(setting, given) : defaultOf(setting);
  if (value === undefined) return `  # ${name}: not set`;
  // A settings file cannot include another one.
  return `  ${name === 'yaml' ? '# ' : ''}${name}: ${show(value)}${from}`;
};

const effectiveValue = (setting: z.core.$ZodType, { parts }: RawSetting): unknown => {
  const values = parts.map(({ value }) => (valueTypeOf(setting).kind === 'text' ? String(value) : parseText(value)));
  return isRepeatable(setting) ? values : values.at(-1);
};

/** Text of a flag or of the environment as a YAML value. */
const parseText = (value: string | number | boolean): number | boolean => {
  if (typeof value !== 'string') return value;
  return /^\d+$/.test(value) ? Number(value) : ['true', 'yes', 'on'].includes(value.toLowerCase());
};

const show = (value: unknown): string => (Array.isArray(value) ? `[${value.map(scalar).join(', ')}]` : scalar(value));

/** Text is quoted unless it can only be read as text; what looks like a variable is escaped. */
const scalar = (value: unknown): string => {
  if (typeof value !== 'string') return String(value);
  const plain = /^[A-Za-z/][\w./@-]*$/.test(value) && !/^(true|false|null|yes|no|on|off)$/i.test(value);
  return plain ? value : JSON.stringify(value.replace(/\$(?=[{(])/g, '$$$$'));
};
