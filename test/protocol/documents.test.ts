/** The published documents are generated from the schemas, complete and valid, and have every message, error and route. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import fastifyWebsocket from '@fastify/websocket';
import Fastify from 'fastify';
import { describe, expect, test } from 'vitest';
import { documents } from '../../app/protocol/documents.ts';
import { errors } from '../../app/protocol/errors.ts';
import { clientMessage, serverMessage } from '../../app/protocol/messages.ts';
import { type RoomRoutes, roomRoutes } from '../../app/web/rooms.ts';
import { asyncApi, clientSchema, directory, faultBy, openApi, serverSchema, source } from './published.ts';

const published = { asyncApi, openApi, clientSchema, serverSchema };
const typesOf = ({ options }: typeof clientMessage | typeof serverMessage): string[] =>
  options.map(({ shape }) => shape.type.value);

/** Every object in a document, with its pointer. */
const objectsIn = (json: unknown, pointer = '#'): { pointer: string; object: Record<string, unknown> }[] => {
  if (typeof json !== 'object' || json === null) return [];
  const inner = Object.entries(json).flatMap(([key, value]) =>
    objectsIn(value, `${pointer}/${key.replaceAll('~', '~0').replaceAll('/', '~1')}`),
  );
  return [{ pointer, object: { ...json } }, ...inner];
};

test.each(Object.entries(documents(source)))('%s is generated from the schemas', (name, text) => {
  const drifted = `app/protocol/${name} differs from the schemas: run npm run schemas`;
  expect(readFileSync(join(directory, name), 'utf8') === text, drifted).toBe(true);
});

describe.each(Object.entries(published))('%s', (_name, document) => {
  const objects = objectsIn(document);

  test('every reference has a target', () => {
    const pointers = new Set(objects.map(({ pointer }) => pointer));
    const references = objects.map(({ object }) => object.$ref).filter((ref) => ref !== undefined);
    expect(references.length).toBeGreaterThan(20);
    expect(references.filter((ref) => !pointers.has(String(ref)))).toEqual([]);
  });

  test('every definition is a valid schema, and is used', () => {
    const definitions = objects.filter(({ pointer }) => /^#\/(\$defs|components\/schemas)\/[^/]+$/.test(pointer));
    expect(definitions.length).toBeGreaterThan(15);
    for (const { pointer } of definitions) expect(() => faultBy(document, null, pointer)).not.toThrow();
    const used = new Set(objects.map(({ object }) => object.$ref));
    const isRoot = (pointer: string) => document === asyncApi && /(client|server)Message$/.test(pointer);
    expect(definitions.filter(({ pointer }) => !used.has(pointer) && !isRoot(pointer))).toEqual([]);
  });
});

describe('the schemas of messages', () => {
  const examples = Object.values<{ examples?: { payload: Record<string, unknown> }[]; payload: { $ref: string } }>(
    asyncApi.components.messages,
  ).flatMap(({ examples = [], payload }) =>
    examples.map((example) => ({ message: example.payload, at: payload.$ref })),
  );
  const directions = [
    { schema: clientSchema, union: clientMessage },
    { schema: serverSchema, union: serverMessage },
  ];

  test('the examples are valid, and a missing field makes one invalid exactly when the server refuses it', () => {
    expect(examples.length).toBeGreaterThan(25);
    for (const { message, at } of examples) {
      expect(faultBy(asyncApi, message, at)).toBe('');
      const { schema, union } = directions.find(({ schema }) => faultBy(schema, message) === '') ?? {};
      if (!union) throw new Error(`${JSON.stringify(message)} is of neither direction`);
      expect(union.parse(message)).toEqual(message);
      for (const field of Object.keys(message)) {
        const { [field]: _, ...rest } = message;
        expect({ field, at, good: faultBy(schema, rest) === '' }).toEqual({
          field,
          at,
          good: union.safeParse(rest).success,
        });
      }
    }
  });

  test.each([
    ['an unknown type', { type: 'dance' }],
    ['a number of 0', { type: 'chat', n: 0, text: 'x' }],
    ['a text that is too long', { type: 'chat', n: 1, text: 'x'.repeat(4001) }],
    ['a name of control characters', { type: 'join', name: 'a\u0007b' }],
    ['an invalid peer id', { type: 'kick', n: 1, peer: '../x' }],
  ])('%s is refused', (_what, message) => {
    expect(faultBy(clientSchema, message)).not.toBe('');
    expect(clientMessage.safeParse(message).success).toBe(false);
  });
});

describe('the AsyncAPI document', () => {
  /** The types of an operation's messages, through its channel. */
  const typesIn = (operation: { messages: { $ref: string }[] }): string[] =>
    operation.messages.map(({ $ref }) => {
      const name = $ref.replace('#/channels/room/messages/', '');
      expect(asyncApi.channels.room.messages[name].$ref).toBe(`#/components/messages/${name}`);
      return asyncApi.components.messages[name].name;
    });

  test('the server receives every message of clients, and sends every message of its own', () => {
    const { receive, send, ...others } = asyncApi.operations;
    expect(others).toEqual({});
    expect([receive.action, send.action]).toEqual(['receive', 'send']);
    expect(typesIn(receive)).toEqual(typesOf(clientMessage));
    expect(typesIn(send)).toEqual(typesOf(serverMessage));
    const names = Object.keys(asyncApi.components.messages);
    expect(names).toHaveLength(receive.messages.length + send.messages.length);
    expect(Object.keys(asyncApi.channels.room.messages)).toEqual(names);
    expect(names.filter((name) => !/^[\w.-]+$/.test(name))).toEqual([]);
  });

  test('every error has its close code and retry', () => expect(asyncApi['x-errors']).toEqual(errors));

  test('descriptions are those of the docstrings', () => {
    expect(asyncApi.components.schemas.joined.description).toMatch(
      /^The reply to `join`\..* resumes .* `recovered` false: /,
    );
  });
});

describe('the OpenAPI document', () => {
  type Operation = { responses: Record<string, { $ref: string }> };
  const operations = Object.entries<Record<string, Operation>>(openApi.paths).flatMap(
    ([path, { parameters, ...rest }]) =>
      Object.entries(rest).map(([method, operation]) => ({ method, path, operation })),
  );

  test('it and the AsyncAPI document have the routes of a room, and no others', async () => {
    const app = Fastify();
    const routes: string[] = [];
    app.addHook('onRoute', ({ method, url }) => {
      const methods = [method].flat().filter((one) => one !== 'HEAD' && one !== 'OPTIONS');
      for (const one of methods) routes.push(`${one} ${url.replace(':room', '{room}')}`);
    });
    await app.register(fastifyWebsocket);
    await app.register(roomRoutes, { allowedOrigins: [] as string[] } as RoomRoutes);
    await app.ready();
    await app.close();
    const { address, bindings } = asyncApi.channels.room;
    const documented = operations.map(({ method, path }) => `${method.toUpperCase()} ${path}`);
    expect([...documented, `${bindings.ws.method} ${address}`].sort()).toEqual(routes.sort());
  });

  test('every operation lists every error under its status', () => {
    expect(operations).toHaveLength(7);
    for (const [code, { status, message }] of Object.entries(errors)) {
      if (status < 400) continue;
      expect(openApi.components.responses[status].description).toContain(`- \`${code}\`: ${message}`);
      for (const { operation } of operations)
        expect(operation.responses[status]?.$ref).toBe(`#/components/responses/${status}`);
    }
  });

  test('every authentication scheme is defined', () => {
    const named = objectsIn(openApi).flatMap(({ object }) => (Array.isArray(object.security) ? object.security : []));
    expect(new Set(named.flatMap(Object.keys))).toEqual(new Set(Object.keys(openApi.components.securitySchemes)));
  });

  test('the examples are valid', () => {
    const examples = objectsIn(openApi).filter(({ object }) => 'example' in object);
    expect(examples.length).toBeGreaterThan(2);
    for (const { pointer, object } of examples)
      expect(faultBy(openApi, object.example, `${pointer}/schema`.replaceAll('{', '%7B').replaceAll('}', '%7D'))).toBe(
        '',
      );
  });
});
