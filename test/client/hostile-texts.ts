/** What a hostile server sends: messages of every type, correct and wrong, huge, nested, out of order. */
import type { Random } from '../listener/uwsgi/random.ts';
import { joined, peer } from './fake-server.ts';
import { serverMessages } from './server-messages.ts';

type Json = Record<string | number, unknown>;

const nested = (depth: number): string => '['.repeat(depth) + ']'.repeat(depth);
const deep = JSON.parse(nested(500));

/** A value of any type. */
export const junk = (random: Random): unknown => {
  const values = [
    ...[
      null,
      true,
      0,
      -1,
      1.5,
      2 ** 31,
      2 ** 53,
      1e300,
      '',
      'soon',
      '__proto__',
      'x'.repeat(300),
      '\u2028\u0000\ud800',
    ],
    ...[[], {}, [[]], [null], { length: 1e9 }, { toString: 1 }, deep],
  ];
  return values[random(values.length)];
};

/** Changes one field somewhere in it. */
const spoil = (random: Random, value: unknown): void => {
  if (typeof value !== 'object' || value === null) return;
  const names = Object.keys(value).filter((name) => name !== 'type');
  const name = names[random(names.length)];
  if (name === undefined) return;
  const fields = value as Json;
  const field = fields[name];
  if (random(2) && typeof field === 'object' && field !== null) spoil(random, field);
  else if (random(4) === 0) delete fields[name];
  else fields[name] = junk(random);
};

const ids = ['a', 'b', 'c', 'd', 'me', 'nobody'];
const codes = [
  'draining',
  'rate-limited',
  'out-of-order',
  'internal',
  'unknown-session',
  'replaced',
  'not-allowed',
  'x',
];

/** A well-formed message, with arbitrary numbers and names. */
const plausible = (random: Random): Json => {
  const message = structuredClone(serverMessages[random(serverMessages.length)]) as unknown as Json;
  const any = <Value>(values: readonly Value[]) => values[random(values.length)];
  const person = () =>
    peer(any(ids) ?? '', { epoch: 1 + random(3), initiator: random(2) === 0, polite: random(2) === 0 });
  if ('seq' in message) message.seq = any([0, 1, random(1_000), 2 ** 40, 2 ** 53 - 1]);
  if ('n' in message) message.n = any([0, 1, 2, random(50), 2 ** 53 - 1]);
  if ('from' in message) message.from = any(ids);
  if (typeof message.peer === 'string') message.peer = any(ids);
  else if ('peer' in message) message.peer = person();
  if ('epoch' in message) message.epoch = 1 + random(3);
  if ('code' in message) message.code = any(codes);
  if ('retry' in message) message.retry = any([0, -1, 1, 50, 1_000, 700_000, 2 ** 31, 1e300, 'soon', {}]);
  if (message.type === 'joined')
    Object.assign(message, joined({ peers: Array.from({ length: random(5) }, person), recovered: random(2) === 0 }));
  if (message.type === 'error' && random(2)) delete message.n;
  return message;
};

/** @returns a text that may be a message */
export const hostileText = (random: Random): string => {
  const kind = random(100);
  if (kind < 55) return JSON.stringify(plausible(random));
  if (kind < 85) {
    const message = plausible(random);
    spoil(random, message);
    return JSON.stringify(message);
  }
  if (kind < 97) {
    const texts = [
      '',
      '{',
      'null',
      '[]',
      '5',
      '"text"',
      '{"type":"hologram","seq":1}',
      '{"type":["joined"]}',
      '\u2028',
    ];
    return texts[random(texts.length)] ?? '';
  }
  if (kind < 99) {
    const depth = 1 + random(20_000);
    return `{"type":"signal","seq":${random(1_000)},"from":"a","epoch":1,"data":${nested(depth)}}`;
  }
  if (random(40))
    return JSON.stringify({ type: 'chat', seq: random(1_000), from: 'a', at: 1, text: 'x'.repeat(random(200_000)) });
  return random(2)
    ? JSON.stringify(joined({ peers: Array.from({ length: 990 + random(20) }, (_, nth) => peer(`p${nth}`)) }))
    : '{"type":"pong"}'.padEnd(2 ** 23 + random(3) - 1);
};
