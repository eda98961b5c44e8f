/** The documents as they are published, and the judgement of somebody else's validator by them. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Ajv } from 'ajv';
import { Ajv2020 } from 'ajv/dist/2020.js';

export const directory = join(import.meta.dirname, '../../app/protocol');
const read = (name: string) => JSON.parse(readFileSync(join(directory, name), 'utf8'));

export const asyncApi = read('asyncapi.json');
export const openApi = read('openapi.json');
export const clientSchema = read('client-message.schema.json');
export const serverSchema = read('server-message.schema.json');

/** AsyncAPI speaks draft 7, OpenAPI 3.1 and our own files 2020-12. The validator is strict about words that it does not know. */
const judges = [
  { document: asyncApi, ajv: new Ajv().addVocabulary(Object.keys(asyncApi)) },
  { document: openApi, ajv: new Ajv2020().addVocabulary(Object.keys(openApi)) },
  { document: clientSchema, ajv: new Ajv2020() },
  { document: serverSchema, ajv: new Ajv2020() },
];
for (const { ajv, document } of judges) ajv.addSchema(document, 'it');

/** What is wrong with `json` by the schema at a pointer into a document, such as `#/components/schemas/chat`; '' if nothing. */
export const faultBy = (document: unknown, json: unknown, pointer = '#'): string => {
  const judge = judges.find((one) => one.document === document);
  const validate = judge?.ajv.getSchema(`it${pointer}`);
  if (!validate) throw new Error(`there is no schema at ${pointer}`);
  return validate(json) ? '' : `${judge?.ajv.errorsText(validate.errors)}: ${JSON.stringify(json)}`;
};
