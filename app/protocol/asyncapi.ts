/** The WebSocket of a room as an AsyncAPI document, https://www.asyncapi.com/docs/reference/specification/v3.0.0 */
import { errors } from './errors.ts';
import { clientExamples, serverExamples } from './examples.ts';
import { components, type Json, type Message, messagesOf, namesIn } from './json-schemas.ts';
import { binaryProtocolVersion, clientMessage, protocolVersion, serverMessage } from './messages.ts';

/**
 * The application in its sense is the server, which receives client messages. Schemas use only what drafts 7 and 2020-12 share.
 * @param source the texts of messages.ts and http-answers.ts
 */
export const asyncApi = (source: string): Json => {
  const names = namesIn(source);
  const fromClient = messagesOf(clientMessage, names);
  const fromServer = messagesOf(serverMessage, names);
  return {
    asyncapi: '3.0.0',
    info: {
      title: 'Genkan: a room over a WebSocket',
      version: protocolVersion,
      license: { name: 'MIT' },
      description: [
        'One JSON object in each text frame; with `genkan.v2`, signals are in binary frames: a line `n to epoch` from the client,',
        '`seq from epoch` from the server, then data as bytes. The client sends `join` first, once; the server replies with `joined` or',
        '`waiting`. Close codes: 4000–4499 = reconnect after `bye.retry` milliseconds; 4500–4999 and 1009 = do not',
        'reconnect; any other = a lost connection: reconnect. `x-errors` has every error: its `status` on plain HTTP, its',
        '`close` code if it ends the connection, and its `retry` delay in milliseconds (without one, the refusal is final).',
      ].join(' '),
    },
    defaultContentType: 'application/json',
    channels: {
      room: {
        address: '/rooms/{room}/ws',
        parameters: { room: { description: 'Room name: 1–64 letters, digits, `-` or `_` of any script.' } },
        messages: Object.fromEntries(
          [...fromClient, ...fromServer].map(({ name }) => [name, { $ref: `#/components/messages/${name}` }]),
        ),
        bindings: { ws: { method: 'GET', headers: handshake, bindingVersion: '0.1.0' } },
      },
    },
    operations: {
      receive: { action: 'receive', summary: 'Messages from clients.', ...inRoom(fromClient) },
      send: { action: 'send', summary: 'Messages to clients.', ...inRoom(fromServer) },
    },
    components: {
      messages: Object.fromEntries([
        ...fromClient.map(withExample(clientExamples)),
        ...fromServer.map(withExample(serverExamples)),
      ]),
      schemas: components([clientMessage, serverMessage], names),
    },
    'x-errors': errors,
  };
};

const handshake = {
  type: 'object',
  properties: {
    'Sec-WebSocket-Protocol': { type: 'string', enum: [protocolVersion, binaryProtocolVersion] },
    Authorization: { type: 'string', description: '`Bearer` and a token, if it is not in `join`.' },
  },
  required: ['Sec-WebSocket-Protocol'],
};

const inRoom = (messages: Message[]): Json => ({
  channel: { $ref: '#/channels/room' },
  messages: messages.map(({ name }) => ({ $ref: `#/channels/room/messages/${name}` })),
});

const withExample =
  (examples: Json) =>
  ({ type, name }: Message): [string, Json] => {
    const example = examples[type];
    const payload = { $ref: `#/components/schemas/${name}` };
    return [name, { name: type, payload, ...(example ? { examples: [{ payload: example }] } : {}) }];
  };
