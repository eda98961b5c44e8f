/** The text of `genkan print-config`: the settings in effect as YAML that can be loaded again, secrets left out. */
import type { z } from 'zod';
import type { RawSetting } from './raw-settings.ts';
import { groups } from './schema.ts';
import { type Groups, metadataOf, showDefault } from './setting-metadata.ts';
import { width, wrap } from './text-columns.ts';
import { defaultOf, isRepeatable, valueTypeOf } from './value-types.ts';

/** @param given what was not left to its default, by name */
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
  const { help, planned } = metadataOf(setting);
  const notYet = planned === true ? '; not in this version yet' : '';
  return wrap(`${help} (${showDefault(setting)}${notYet})`, width - 4).map((line) => `  # ${line}`);
};

const entry = (name: string, setting: z.core.$ZodType, given: RawSetting | undefined): string => {
  const from = given ? `  # from ${given.source}` : '';
  if (metadataOf(setting).secret) {
    if (given?.path !== undefined) return `  ${name}_file: ${scalar(given.path)}${from}`;
    return given ? `  # ${name}: not shown;${from.replace('  #', '')}` : `  # ${name}: not set`;
  }
  const value = given ? written(setting, given) : defaultOf(setting);
  if (value === undefined) return `  # ${name}: not set`;
  // A file cannot name another file.
  return `  ${name === 'yaml' ? '# ' : ''}${name}: ${show(value)}${from}`;
};

const written = (setting: z.core.$ZodType, { parts }: RawSetting): unknown => {
  const values = parts.map(({ value }) => (valueTypeOf(setting).kind === 'text' ? String(value) : parsed(value)));
  return isRepeatable(setting) ? values : values.at(-1);
};

/** Text of a flag or the environment, as YAML has it. */
const parsed = (value: string | number | boolean): number | boolean => {
  if (typeof value !== 'string') return value;
  return /^\d+$/.test(value) ? Number(value) : ['true', 'yes', 'on'].includes(value.toLowerCase());
};

const show = (value: unknown): string => (Array.isArray(value) ? `[${value.map(scalar).join(', ')}]` : scalar(value));

/** What no reader could take for anything but text stays without quotes. What looks like a variable is kept from being one. */
const scalar = (value: unknown): string => {
  if (typeof value !== 'string') return String(value);
  const plain = /^[A-Za-z/][\w./@-]*$/.test(value) && !/^(true|false|null|yes|no|on|off)$/i.test(value);
  return plain ? value : JSON.stringify(value.replace(/\$(?=[{(])/g, '$$$$'));
};
