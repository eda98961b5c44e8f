/** The published documents, and validation of messages against them by a third-party validator. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Ajv } from 'ajv';
import { Ajv2020 } from 'ajv/dist/2020.js';

export const directory = join(import.meta.dirname, '../../app/protocol');
/** The texts whose docstrings are part of the documents. */
export const source = ['messages.ts', 'http-answers.ts']
  .map((name) => readFileSync(join(directory, name), 'utf8'))
  .join('\n');
const read = (name: string) => JSON.parse(readFileSync(join(directory, name), 'utf8'));

export const asyncApi = read('asyncapi.json');
export const openApi = read('openapi.json');
export const clientSchema = read('client-message.schema.json');
export const serverSchema = read('server-message.schema.json');

/** AsyncAPI uses draft 7, OpenAPI 3.1 and our own files 2020-12. The validator rejects unknown keywords. */
const judges = [
  { document: asyncApi, ajv: new Ajv().addVocabulary(Object.keys(asyncApi)) },
  { document: openApi, ajv: new Ajv2020().addVocabulary(Object.keys(openApi)) },
  { document: clientSchema, ajv: new Ajv2020() },
  { document: serverSchema, ajv: new Ajv2020() },
];
for (const { ajv, document } of judges) ajv.addSchema(document, 'it');

/** The errors of `json` against the schema at a pointer into a document, such as `#/components/schemas/chat`; '' if there are none. */
export const faultBy = (document: unknown, json: unknown, pointer = '#'): string => {
  const judge = judges.find((one) => one.document === document);
  const validate = judge?.ajv.getSchema(`it${pointer}`);
  if (!validate) throw new Error(`there is no schema at ${pointer}`);
  return validate(json) ? '' : `${judge?.ajv.errorsText(validate.errors)}: ${JSON.stringify(json)}`;
};
