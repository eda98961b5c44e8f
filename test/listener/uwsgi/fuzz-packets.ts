/** Packets for fuzzing: valid ones, damaged ones, and a simple second parser to compare with. */
import { encodePacket } from './client.ts';
import type { Random } from './random.ts';

export type Variables = [string, string][];

/** A packet according to the protocol alone; `rest` starts after its last byte. */
export type Reading =
  | { sound: true; modifier1: number; vars: Variables; rest: number }
  | { sound: false; short: boolean };

/** Parses slowly and simply, a byte at a time; `short`: more bytes could still make it valid. */
export const readSlowly = (bytes: Buffer, bufferSize: number): Reading => {
  const modifier1 = bytes[0] ?? 0;
  if (bytes.length < 4) return { sound: false, short: true };
  if (modifier1 !== 0 && modifier1 !== 100) return { sound: false, short: false };
  const size = (bytes[1] ?? 0) + 256 * (bytes[2] ?? 0);
  if (size > bufferSize) return { sound: false, short: false };
  if (bytes.length < 4 + size) return { sound: false, short: true };
  const vars = readPairs(bytes.subarray(4, 4 + size));
  return vars === undefined ? { sound: false, short: false } : { sound: true, modifier1, vars, rest: 4 + size };
};

const readPairs = (block: Buffer): Variables | undefined => {
  const texts: string[] = [];
  let at = 0;
  while (at < block.length) {
    if (at + 2 > block.length) return undefined;
    const end = at + 2 + (block[at] ?? 0) + 256 * (block[at + 1] ?? 0);
    if (end > block.length) return undefined;
    texts.push(block.toString('latin1', at + 2, end));
    at = end;
  }
  const vars: Variables = [];
  for (let index = 0; index < texts.length; index += 2) {
    const [name, value] = [texts[index], texts[index + 1]];
    if (name === undefined || value === undefined || name === '') return undefined;
    vars.push([name, value]);
  }
  return vars;
};

const names = [
  'REQUEST_METHOD',
  'REQUEST_URI',
  'PATH_INFO',
  'SCRIPT_NAME',
  'CONTENT_LENGTH',
  'CONTENT_TYPE',
  'REMOTE_ADDR',
  'REMOTE_PORT',
  'REQUEST_SCHEME',
  'SERVER_PROTOCOL',
  'HTTP_HOST',
  'HTTP_COOKIE',
  'HTTP_CONNECTION',
  'HTTP_UPGRADE',
  'HTTP_TRANSFER_ENCODING',
  'HTTP_X_FORWARDED_FOR',
  'HTTP_',
  'HTTP_A B',
  'X',
];
const values = [
  '',
  '/',
  '/a?b',
  '/%2e%2e/a',
  '/meet',
  'GET',
  'POST',
  'chunked',
  'websocket',
  'Upgrade',
  '0',
  '5',
  '-1',
  '99999999999999999999',
  '1e3',
  'a\r\nb: c',
  'a\0b',
  '\xff\xfe',
  'HTTP/1.1',
  'https',
  '::1',
];

/** Variables that no client would send together. */
export const oddVariables = (random: Random): Variables =>
  Array.from({ length: random(12) }, () => [pick(random, names), oddValue(random)]);

const oddValue = (random: Random): string => {
  const kind = random(10);
  if (kind < 7) return pick(random, values);
  if (kind < 9) return Buffer.from(Array.from({ length: random(20) }, () => random(256))).toString('latin1');
  return 'x'.repeat(random(3000));
};

/** A valid packet that is then possibly damaged: by flipped bits, other lengths, lost, doubled or inserted bytes. */
export const anyPacket = (random: Random, sound: Variables): Buffer => {
  const packet = encodePacket(
    random(4) === 0 ? oddVariables(random) : [...sound, ...(random(2) === 0 ? [] : oddVariables(random))],
  );
  const hurts = random(4) === 0 ? 0 : 1 + random(3);
  let bytes = packet;
  for (let round = 0; round < hurts; round++) bytes = hurt(random, bytes);
  return bytes;
};

const hurt = (random: Random, bytes: Buffer): Buffer => {
  if (bytes.length === 0) return bytes;
  const at = random(bytes.length);
  const copy = Buffer.from(bytes);
  switch (random(7)) {
    case 0:
      copy[at] = (copy[at] ?? 0) ^ (1 << random(8));
      return copy;
    case 1:
      copy[at] = random(256);
      return copy;
    case 2:
      return copy.subarray(0, at);
    case 3:
      return Buffer.concat([copy.subarray(0, at), copy.subarray(Math.min(bytes.length, at + 1 + random(9)))]);
    case 4:
      return Buffer.concat([copy.subarray(0, at), Buffer.from([random(256), random(256)]), copy.subarray(at)]);
    case 5:
      return Buffer.concat([copy, copy.subarray(at)]);
    default:
      if (copy.length >= 3) copy.writeUInt16LE(random(2) === 0 ? random(65_536) : random(bytes.length), 1);
      return copy;
  }
};

/** The bytes in up to five pieces, some of them empty. */
export const inPieces = (random: Random, bytes: Buffer): Buffer[] => {
  const cuts = Array.from({ length: random(5) }, () => random(bytes.length + 1)).sort((a, b) => a - b);
  const ends = [...cuts, bytes.length];
  return ends.map((end, index) => bytes.subarray(index === 0 ? 0 : ends[index - 1], end));
};

export const pick = <T>(random: Random, from: readonly T[]): T => {
  const item = from[random(from.length)];
  if (item === undefined) throw new Error('nothing to pick from');
  return item;
};
