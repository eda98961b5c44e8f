/** The types of setting values. Text from a flag, the environment or an expanded variable is converted to the type. */
import { z } from 'zod';
import { parseAddress } from './address.ts';

/** `kind`: what YAML must contain. `shown`: placeholder for the value in help. `json`: JSON Schema for editors. */
export type ValueType = { kind: 'text' | 'whole' | 'flag'; shown: string; json?: Record<string, unknown> };

const types = z.registry<ValueType>();

/** The type of a setting or of its list items; text by default. */
export const valueTypeOf = (setting: z.core.$ZodType): ValueType =>
  types.get(innermost(setting)) ?? { kind: 'text', shown: 'TEXT' };

/** Unwraps default, optional and list. */
export const innermost = (setting: z.core.$ZodType): z.core.$ZodType => {
  const bare = unwrapped(setting);
  return bare instanceof z.ZodArray ? bare.element : bare;
};

/** Whether a setting may be given several times. */
export const isRepeatable = (setting: z.core.$ZodType): boolean => unwrapped(setting) instanceof z.ZodArray;

/** Undefined when there is none. */
export const defaultOf = (setting: z.core.$ZodType): unknown =>
  setting instanceof z.ZodDefault ? setting.def.defaultValue : undefined;

const unwrapped = (setting: z.core.$ZodType): z.core.$ZodType =>
  setting instanceof z.ZodDefault || setting instanceof z.ZodOptional ? unwrapped(setting.def.innerType) : setting;

export const list = <T extends z.ZodType>(item: T) => z.array(item).default([]);

export const integer = (min: number, max: number, shown = 'N') => {
  const error = `must be a whole number from ${min} to ${max}`;
  return z
    .union([z.number(), z.string().regex(/^\d+$/).transform(Number)], { error })
    .pipe(z.int(error).min(min, error).max(max, error))
    .register(types, { kind: 'whole', shown, json: { type: 'integer', minimum: min, maximum: max } });
};
export const seconds = (min: number, max: number) => integer(min, max, 'SECONDS');
export const bytes = (min: number, max: number) => integer(min, max, 'BYTES');

/** The words that uWSGI accepts; YAML 1.2 itself has only true and false. */
const words = { truthy: ['true', 'yes', 'on', '1'], falsy: ['false', 'no', 'off', '0'] };
export const flag = () =>
  z
    .union([z.boolean(), z.stringbool(words)], { error: 'must be true or false' })
    .register(types, { kind: 'flag', shown: '[true|false]', json: { type: 'boolean' } });
export const isFlagWord = (text: string): boolean => [...words.truthy, ...words.falsy].includes(text.toLowerCase());

/** @param wanted completes "must be …" */
export const text = (pattern: RegExp, wanted: string, shown: string) =>
  z
    .string(`must be ${wanted}`)
    .regex(pattern, `must be ${wanted}`)
    .register(types, { kind: 'text', shown, json: { type: 'string', pattern: pattern.source } });

export const path = () => text(/^[^\0]+$/, 'a path', 'PATH');
export const octalMode = () => text(/^[0-7]{3,4}$/, 'an octal mode such as 660', 'MODE');
export const choice = <const T extends readonly string[]>(...names: T) =>
  z
    .enum(names, `must be one of: ${names.join(', ')}`)
    .register(types, { kind: 'text', shown: names.join('|'), json: { enum: names } });

export const address = z
  .string('must be an address')
  .transform((given, context) => {
    const parsed = parseAddress(given);
    if (parsed) return parsed;
    context.addIssue(`"${given}" is not an address; write host:port, :port, /path, unix:/path or fd:N`);
    return z.NEVER;
  })
  .register(types, { kind: 'text', shown: 'ADDRESS', json: { type: 'string' } });

export const network = z
  .union([z.ipv4(), z.ipv6(), z.cidrv4(), z.cidrv6()], {
    error: 'must be an IP address or a network such as 172.20.0.0/24',
  })
  .register(types, { kind: 'text', shown: 'NETWORK', json: { type: 'string' } });
