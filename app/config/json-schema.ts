/** A JSON Schema of settings files, for completion and checks in editors. */
import { z } from 'zod';
import { holdsVariable } from './expand.ts';
import { schema } from './schema.ts';
import { metadataOf } from './setting-metadata.ts';
import { uwsgiFamilies, uwsgiOptions } from './uwsgi-compat/options.ts';
import { defaultOf, innermost, isRepeatable, valueTypeOf } from './value-types.ts';

type Json = Record<string, unknown>;

/** Draft 7, which editors support best. */
export const jsonSchema = (described: z.ZodObject = schema): Json => ({
  $schema: 'http://json-schema.org/draft-07/schema#',
  title: 'Settings of Genkan',
  type: 'object',
  properties: { genkan: { $ref: '#/definitions/settings' }, uwsgi: { $ref: '#/definitions/settings' } },
  // Other sections, for --yaml file:section.
  additionalProperties: { type: 'object' },
  definitions: {
    settings: {
      type: ['object', 'null'],
      properties: {
        ...uwsgiNames(described),
        ...Object.fromEntries(Object.entries(described.shape).flatMap(propertiesOf)),
      },
      patternProperties: families(),
      additionalProperties: false,
    },
  },
});

const propertiesOf = ([name, setting]: [string, z.core.$ZodType]): [string, Json][] => {
  if (name === 'yaml') return [];
  const { help, also = [], secret } = metadataOf(setting);
  const one = { anyOf: [valueTypeOf(setting).json ?? generic(setting), { type: 'string', pattern: holdsVariable }] };
  const value = isRepeatable(setting) ? { anyOf: [one, { type: 'array', items: one }] } : one;
  const preset = secret ? undefined : defaultOf(setting);
  const described = { description: help, ...value };
  const aliases = also.filter((other) => other.length > 1);
  return [
    [name, preset === undefined ? described : { ...described, default: preset }],
    ...aliases.map((other): [string, Json] => [other, { ...described, description: `the same as ${name}` }]),
    ...(secret
      ? [[`${name}_file`, { description: `a file that holds ${name}`, type: 'string' }] as [string, Json]]
      : []),
  ];
};

/** For a setting whose value type has no schema of its own. */
const generic = (setting: z.core.$ZodType): Json => {
  const { $schema: _, ...json } = z.toJSONSchema(innermost(setting), { io: 'input', target: 'draft-7' });
  return json;
};

/** The options of uWSGI that are accepted, with any value. */
const uwsgiNames = (described: z.ZodObject): Json =>
  Object.fromEntries(
    Object.entries(uwsgiOptions).flatMap(([name, answer]) => {
      if (answer.verdict === 'renamed')
        return answer.to in described.shape
          ? [[name, { deprecated: true, description: `is called ${answer.to} here` }]]
          : [];
      return answer.verdict === 'refused' ? [] : [[name, { deprecated: true, description: answer.here }]];
    }),
  );

const families = (): Json =>
  Object.fromEntries(
    uwsgiFamilies
      .filter(({ answer }) => answer.verdict === 'inapplicable')
      .map(({ pattern, answer }) => [pattern.source, { deprecated: true, description: answer.uwsgi }]),
  );
