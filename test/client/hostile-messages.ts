/** What a hostile peer may send: signals and frames of every type, wrong types, huge, nested and repeated, from a seed. */
import type { Random } from '../listener/uwsgi/random.ts';

export type Frame = string | Uint8Array<ArrayBuffer>;

const oneOf = <Value>(random: Random, values: readonly Value[]): Value => values[random(values.length)] as Value;
const nested = (depth: number): unknown => {
  let value: unknown = 1;
  for (let level = 0; level < depth; level += 1) value = level % 2 ? [value] : { x: value };
  return value;
};

/** Any JSON value. */
const junk = (random: Random): unknown =>
  oneOf<() => unknown>(random, [
    () => null,
    () => true,
    () => -1,
    () => 1e308,
    () => 2 ** 53,
    () => '',
    () => 'x'.repeat(random(40_000)),
    () => '\u2028\ud800\u0000',
    () => [],
    () => ({}),
    () => nested(random(500)),
    () => Array.from({ length: random(2_000) }, (_, index) => index),
    () => ({ __proto__: null, constructor: 1, toString: 1, link: 1 }),
  ])();

/** Fields of which some are now and then of another type, or missing. */
const spoiled = (random: Random, fields: Record<string, unknown>): Record<string, unknown> => {
  if (random(3) > 0) return fields;
  const name = oneOf(random, Object.keys(fields));
  if (random(2) === 0) return { ...fields, [name]: junk(random) };
  return Object.fromEntries(Object.entries(fields).filter(([other]) => other !== name));
};

const candidate = (random: Random): string =>
  `candidate:${random(1_000)} 1 udp ${random(2 ** 31)} 192.0.2.${random(256)} ${random(65_536)} typ host`;

/** `base`: a description that browsers accept. */
const sdp = (random: Random, base: string): string =>
  oneOf<() => string>(random, [
    () => base,
    () =>
      base.replace(/(?=a=ice-ufrag)/, Array.from({ length: random(600) }, () => `a=${candidate(random)}\r\n`).join('')),
    () => base.replaceAll(/ice-ufrag:.*/g, `ice-ufrag:x${random(100_000)}xx`),
    () => base + 'm=audio 9 UDP/TLS/RTP/SAVPF 0\r\n'.repeat(random(400)),
    () => base + 'a=x\r\n'.repeat(random(10_000)),
    () => base.slice(0, random(base.length + 1)),
    () => base.replaceAll(/\d+/g, (digits) => (random(20) === 0 ? `${random(100_000)}` : digits)),
    () => '',
    () => 'x'.repeat(random(60_000)),
  ])();

/** @param generation the likely generation of the pair */
export const hostileSignal = (random: Random, generation: number, base: string): unknown => {
  const link = oneOf(random, [
    generation,
    generation,
    generation + 1,
    generation + 1,
    generation + 2,
    1,
    0,
    2 ** 53 - 1,
  ]);
  const description = () =>
    spoiled(random, { type: oneOf(random, ['offer', 'answer', 'rollback', 'pranswer']), sdp: sdp(random, base) });
  const trickled = () =>
    spoiled(random, {
      candidate: oneOf(random, [candidate(random), '', 'x']),
      sdpMid: '0',
      sdpMLineIndex: random(4),
      usernameFragment: null,
    });
  return oneOf<() => unknown>(random, [
    () => spoiled(random, { link, description: description() }),
    () => spoiled(random, { link: generation + 1, description: { type: 'offer', sdp: base } }),
    () => spoiled(random, { link, candidate: trickled() }),
    () => ({ link, restart: true }),
    () => ({ link, renew: true }),
    () => ({ link, keep: true }),
    () => junk(random),
  ])();
};

const bytes = (random: Random): Uint8Array<ArrayBuffer> => {
  const frame = new Uint8Array(oneOf(random, [0, 3, 4, 5, 100, 16_388, 16_389, 60_000]));
  if (frame.length > 3) frame[3] = random(6);
  return frame;
};

/** Data channel messages, about files with small numbers among others. */
export const hostileFrame = (random: Random): Frame => {
  const file = oneOf(random, [random(6), random(6), random(6), random(2 ** 32)]);
  const at = oneOf(random, [0, 1, 10, 262_144, 2 ** 40]);
  const ask = random(4);
  const words = [
    ...[{ is: 'offer', name: 'x'.repeat(random(300)), size: oneOf(random, [0, 10, 300_000]), type: 'text/html' }],
    ...[
      { is: 'accept', at, ask },
      { is: 'begin', ask: 1 },
      { is: 'begin', ask },
      { is: 'decline', reason: 'damaged' },
    ],
    ...[{ is: 'cancel' }, { is: 'block', hash: 'x' }, { is: 'got', at }, { is: 'hologram' }],
  ];
  return oneOf<() => Frame>(random, [
    () => bytes(random),
    () => bytes(random),
    () => JSON.stringify(spoiled(random, { file, ...oneOf<object>(random, words) })),
    () => JSON.stringify(spoiled(random, { file, ...oneOf<object>(random, words) })),
    () => JSON.stringify(spoiled(random, { reaction: '👏' })),
    () => JSON.stringify({ files: oneOf<unknown>(random, [[], [1, 2], junk(random)]) }),
    () => JSON.stringify(junk(random)) ?? '',
    () => JSON.stringify('x'.repeat(random(250_000))),
    () => '['.repeat(random(10_000)),
    () => '{"',
  ])();
};
