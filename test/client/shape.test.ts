/** The library's own validation of server messages, compared with the schemas of the protocol. */
import { describe, expect, it } from 'vitest';
import { parse, parseBatch } from '../../app/client/shape.ts';
import { serverMessage } from '../../app/protocol/messages.ts';
import { joined, peer } from './fake-server.ts';
import { serverMessages } from './server-messages.ts';

type Path = (string | number)[];
type Json = Record<string | number, unknown>;

/** The paths of all fields in it, at any depth. */
const pathsOf = (value: unknown, before: Path = []): Path[] =>
  typeof value !== 'object' || value === null
    ? []
    : Object.entries(value).flatMap(([name, field]) => [[...before, name], ...pathsOf(field, [...before, name])]);

/** A copy with another value at the path, or without it. */
const spoiled = (message: object, path: Path, value?: unknown): object => {
  const copy: Json = structuredClone(message) as Json;
  const holder = path.slice(0, -1).reduce((at, name) => at[name] as Json, copy);
  const last = path.at(-1) ?? '';
  if (value === undefined) delete holder[last];
  else holder[last] = value;
  return copy;
};
const valueAt = (message: object, path: Path) => path.reduce((at, name) => at[name] as Json, message as Json);

/** Relayed without validation, and limited by the common rule for delays. */
const isFree = ([first]: Path) => first === 'data' || first === 'retry' || first === 'type';

it('there is a sample of every message type', () => {
  expect(serverMessages.map(({ type }) => type).toSorted()).toEqual(
    serverMessage.options.map(({ shape }) => shape.type.value).toSorted(),
  );
});

describe.each(serverMessages.map((message) => [message.type, message] as const))('%s', (type, message) => {
  it('is parsed unchanged, as text and as a value; unknown fields are dropped', () => {
    expect(serverMessage.parse(message)).toEqual(message);
    expect(parse(JSON.stringify(message))).toEqual(message);
    expect(parse(message)).toEqual(message);
    expect(parse({ ...message, later: [1], toString: 1 })).toEqual(message);
  });

  it('is malformed if a field has another type, or a required one is missing', () => {
    let tried = 0;
    for (const path of pathsOf(message).filter((path) => !isFree(path))) {
      for (const value of [null, true, 1, 1.5, -1, 2 ** 60, 'text', [], {}, [null], [[]], { '0': {} }]) {
        // Values of a later protocol are accepted, and names are not changed.
        if (typeof value === 'string' && typeof valueAt(message, path) === 'string') continue;
        if (serverMessage.safeParse(spoiled(message, path, value)).success) continue;
        expect(parse(spoiled(message, path, value)), `${path.join('.')} = ${JSON.stringify(value)}`).toEqual({
          type: 'malformed',
          of: type,
        });
        tried += 1;
      }
      const without = spoiled(message, path);
      const isArrayEntry = Array.isArray(valueAt(message, path.slice(0, -1)));
      if (isArrayEntry || serverMessage.safeParse(without).success) continue;
      expect(parse(without), `without ${path.join('.')}`).toMatchObject({ type: 'malformed' });
    }
    expect(tried).toBeGreaterThanOrEqual(type === 'pong' ? 0 : 5);
  });
});

it.each(['', 'null', '5', '"text"', '[]', '{}', '{"type":5}', '{"type":"hologram"}', '{"type":"toString"}', '{'])(
  '%s is not a message',
  (text) => expect(parse(text)).toBeUndefined(),
);

it('retry is a number or null, otherwise 0', () => {
  for (const retry of ['soon', true, {}, [5], [[]]]) {
    expect(parse({ type: 'bye', code: 'draining', message: '', retry })).toMatchObject({ retry: 0 });
  }
  expect(parse({ type: 'bye', code: 'draining', message: '', retry: null })).toMatchObject({ retry: null });
  expect(parse('{"type":"bye","code":"draining","message":"","retry":1e999}')).toMatchObject({ retry: 0 });
});

describe('limits', () => {
  const many = <Value>(count: number, value: Value) => Array.from({ length: count }, () => value);
  const people = (count: number) => many(count, peer('a'));
  const said = (at: number) => ({ from: 'a', text: 'x', at });
  const chatAt = (at: number) => ({ type: 'chat', seq: 1, ...said(at) });
  const ice = (count: number, urls = ['stun:a']) => many(count, { urls });

  it.each<[string, object, object]>([
    ['1000 peers', joined({ peers: people(1_000) }), joined({ peers: people(1_001) })],
    ['64 ICE servers', { type: 'ice', ice: ice(64) }, { type: 'ice', ice: ice(65) }],
    [
      '64 addresses of one',
      { type: 'ice', ice: ice(1, many(64, 'stun:a')) },
      { type: 'ice', ice: ice(1, many(65, 'stun:a')) },
    ],
    ['256 characters of a word', joined({ session: 'x'.repeat(256) }), joined({ session: 'x'.repeat(257) })],
    ['milliseconds of a timer', joined({ grace: 2 ** 31 - 1 }), joined({ grace: 2 ** 31 })],
    ['a date of a chat message', chatAt(8.64e15), chatAt(8.64e15 + 1)],
    ['a date in the chat history', joined({ chat: [said(8.64e15)] }), joined({ chat: [said(8.64e15 + 1)] })],
    ['numbers that can be counted', joined({ seq: 2 ** 53 - 1 }), joined({ seq: 2 ** 53 })],
  ])('%s', (_, within, beyond) => {
    expect(parse(within)).toEqual(within);
    expect(parse(beyond)).toMatchObject({ type: 'malformed' });
  });

  it('text is limited to 8 MiB, and not parsed beyond that', () => {
    const text = JSON.stringify({ type: 'pong' });
    expect(parse(text.padEnd(2 ** 23))).toEqual({ type: 'pong' });
    expect(parse(text.padEnd(2 ** 23 + 1))).toMatchObject({ type: 'malformed' });
    expect(parseBatch('{"messages":[]}'.padEnd(2 ** 23))).toEqual({ messages: [] });
    expect(parseBatch('{"messages":[]}'.padEnd(2 ** 23 + 1))).toBeUndefined();
    expect(parseBatch(JSON.stringify({ messages: many(2 ** 17 + 1, 0) }))).toBeUndefined();
  });

  it('nesting is accepted only in unknown fields and in signal data', () => {
    const nested = '['.repeat(1e6) + ']'.repeat(1e6);
    expect(parse(`{"type":"pong","x":${nested}}`)).toEqual({ type: 'pong' });
    expect(parse(`{"type":"ack","n":${nested}}`)).toMatchObject({ type: 'malformed' });
    expect(parse(`{"type":"signal","seq":1,"from":"a","epoch":1,"data":${nested}}`)).toMatchObject({ seq: 1 });
  });
});

it.each(['', '5', '{}', '{"messages":5}', '{"messages":[],"seq":"a"}', '{"type":"error"}', '{"type":"joined"}'])(
  '%s is not a valid response',
  (text) => expect(parseBatch(text)).toBeUndefined(),
);
