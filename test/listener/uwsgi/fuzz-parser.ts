/** Fuzzing of the parser: arbitrary bytes, cut anywhere, are parsed like by a second parser, and nothing throws. */
import assert from 'node:assert/strict';
import { createPacketParser, type PacketResult } from '../../../app/listener/uwsgi/packet.ts';
import { readHead } from '../../../app/listener/uwsgi/vars.ts';
import { requestVariables } from './client.ts';
import { anyPacket, inPieces, readSlowly } from './fuzz-packets.ts';
import { type Random, randomFrom } from './random.ts';

export type ParserCounts = { packets: number; heads: number; refused: number; faults: number; more: number };

const limitPost = 1_000_000;
const sizes = [65_535, 65_535, 65_535, 4096, 300];

/** @throws an AssertionError, with the bytes in hex, at the first packet that is parsed wrongly */
export const fuzzParser = (seed: number, packets: number): ParserCounts => {
  const random = randomFrom(seed);
  const counts: ParserCounts = { packets: 0, heads: 0, refused: 0, faults: 0, more: 0 };
  for (; counts.packets < packets; counts.packets++) fuzzOne(random, counts);
  return counts;
};

const fuzzOne = (random: Random, counts: ParserCounts): void => {
  const bufferSize = sizes[random(sizes.length)] ?? 65_535;
  const bytes = anyPacket(random, requestVariables({ url: `/a?${random(1000)}` }));
  try {
    judge(bytes, bufferSize, inPieces(random, bytes), counts);
  } catch (error) {
    throw new Error(`bytes ${bytes.toString('hex')}, buffer-size ${bufferSize}`, { cause: error });
  }
};

const judge = (bytes: Buffer, bufferSize: number, pieces: Buffer[], counts: ParserCounts): void => {
  const expected = readSlowly(bytes, bufferSize);
  const { result, fed } = feed(pieces, bufferSize);
  assert.equal(result.kind === 'packet', expected.sound);
  if (result.kind === 'more') {
    counts.more++;
    assert.ok(!expected.sound && expected.short);
  } else if (result.kind === 'fault') {
    counts.faults++;
    assert.ok(!expected.sound && !expected.short);
  } else if (expected.sound) {
    assert.deepEqual(result.vars, expected.vars);
    assert.equal(result.modifier1, expected.modifier1);
    assert.equal(fed - result.rest.length, expected.rest);
    judgeHead(result, counts);
  }
};

const feed = (pieces: Buffer[], bufferSize: number): { result: PacketResult; fed: number } => {
  const parse = createPacketParser(bufferSize, [0, 100]);
  let fed = 0;
  for (const piece of pieces) {
    fed += piece.length;
    const result = parse(piece);
    if (result.kind !== 'more') return { result, fed };
  }
  return { result: { kind: 'more' }, fed };
};

/** Whatever the variables are, a head that is passed on is harmless. */
const judgeHead = ({ vars }: Extract<PacketResult, { kind: 'packet' }>, counts: ParserCounts): void => {
  const head = readHead(vars, limitPost);
  if (head.kind === 'fault') {
    counts.refused++;
    assert.match(head.variable, /^[\w…]+$/);
    return;
  }
  counts.heads++;
  assert.match(head.url, /^(?:\/[^\0- \x7f]*|\*)$/);
  assert.match(head.method, /^[!#$%&'*+\-.^_`|~\w]+$/);
  assert.ok(Number.isInteger(head.contentLength) && head.contentLength >= 0 && head.contentLength <= limitPost);
  head.rawHeaders.forEach((text, index) => {
    if (index % 2 === 0) assert.match(text, /^[!#$%&'*+\-.^_`|~0-9a-z]+$/);
    else assert.doesNotMatch(text, /[\r\n\0]/);
  });
  const hop = ['transfer-encoding', 'te', 'keep-alive', 'proxy', 'forwarded', 'x-real-ip', 'expect'];
  for (const name of hop) assert.ok(!head.rawHeaders.some((text, index) => index % 2 === 0 && text === name));
};
