/** Generates the protocol documents for authors of clients; `npm run schemas` writes them to this directory. */
import { asyncApi } from './asyncapi.ts';
import { type Json, jsonSchema, namesIn } from './json-schemas.ts';
import { clientMessage, serverMessage } from './messages.ts';
import { openApi } from './openapi.ts';

/**
 * The text of each document, by file name.
 * @param source the texts of messages.ts and http-answers.ts, for its docstrings
 */
export const documents = (source: string): Record<string, string> => ({
  'asyncapi.json': text(asyncApi(source)),
  'openapi.json': text(openApi(source)),
  'client-message.schema.json': text(jsonSchema(clientMessage, namesIn(source))),
  'server-message.schema.json': text(jsonSchema(serverMessage, namesIn(source))),
});

const text = (document: Json): string => `${JSON.stringify(document, null, 2)}\n`;
