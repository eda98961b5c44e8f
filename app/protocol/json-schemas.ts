/** Converts the zod schemas to JSON Schema. Each definition has its name and its docstring from messages.ts or http-answers.ts. */
import { z } from 'zod';
import * as answers from './http-answers.ts';
import * as messages from './messages.ts';

export type Json = Record<string, unknown>;
type Names = z.core.$ZodRegistry<{ id: string; description?: string }>;
/** A message's type, and the name of its schema. */
export type Message = { type: string; name: string };

/**
 * @param source the texts of those two files
 * @param more additional schemas of one document, by name
 */
export const namesIn = (source: string, more: Record<string, z.ZodType> = {}): Names => {
  const docstrings = docstringsOf(source);
  const names: Names = z.registry();
  for (const [id, schema] of Object.entries({ ...messages, ...answers, ...more })) {
    const description = docstrings.get(id);
    if (schema instanceof z.ZodType) names.add(schema, description === undefined ? { id } : { id, description });
  }
  return names;
};

const docstringsOf = (source: string): Map<string, string> => {
  const found = source.matchAll(/^\/\*\*((?:(?!\*\/).)*)\*\/\nexport const (\w+)/gms);
  return new Map([...found].map(([, text = '', name = '']) => [name, text.replaceAll(/\s*\n \*\s*/g, ' ').trim()]));
};

/**
 * A standalone document, draft 2020-12. Both directions use `input`: unlike `output`, it allows additional fields, which a later
 * server may send and a client has to ignore.
 */
export const jsonSchema = (schema: z.ZodType, names: Names): Json =>
  z.toJSONSchema(schema, { metadata: names, io: 'input' });

/** The definitions that the schemas refer to, as the components of an AsyncAPI or OpenAPI document. */
export const components = (schemas: [z.ZodType, ...z.ZodType[]], names: Names): Json => {
  const text = JSON.stringify(jsonSchema(z.union(schemas), names).$defs);
  return JSON.parse(text.replaceAll('"#/$defs/', `"${componentsAt}`));
};

const componentsAt = '#/components/schemas/';

export const refTo = (schema: z.ZodType, names: Names): Json => ({ $ref: componentsAt + nameOf(schema, names) });

/** The messages of one direction. */
export const messagesOf = (union: typeof messages.clientMessage | typeof messages.serverMessage, names: Names) =>
  union.options.map((schema): Message => ({ type: schema.shape.type.value, name: nameOf(schema, names) }));

const nameOf = (schema: z.ZodType, names: Names): string => {
  const name = names.get(schema)?.id;
  if (name === undefined) throw new Error('a schema in a union or an answer is not exported');
  return name;
};
