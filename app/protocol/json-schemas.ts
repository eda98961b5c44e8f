/** The zod schemas as JSON Schema: each is a definition by the name that messages.ts gives it, described by its docstring there. */
import { z } from 'zod';
import * as messages from './messages.ts';

export type Json = Record<string, unknown>;
export type Names = z.core.$ZodRegistry<{ id: string; description?: string }>;
/** A message's type, and the name of its schema. */
export type Message = { type: string; name: string };

/**
 * @param source the text of messages.ts
 * @param more schemas that only one document has, by name
 */
export const namesIn = (source: string, more: Record<string, z.ZodType> = {}): Names => {
  const docstrings = docstringsOf(source);
  const names: Names = z.registry();
  for (const [id, schema] of Object.entries({ ...messages, ...more })) {
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
 * A document of its own, draft 2020-12. Both directions say what may be written: unlike `output`, `input` leaves room for
 * fields that a later server adds and a client has to pass over.
 */
export const jsonSchema = (schema: z.ZodType, names: Names): Json =>
  z.toJSONSchema(schema, { metadata: names, io: 'input' });

/** The definitions that the schemas lean on, as the components of an AsyncAPI or OpenAPI document. */
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
  if (name === undefined) throw new Error('messages.ts has a schema in a union or an answer that it does not export');
  return name;
};
