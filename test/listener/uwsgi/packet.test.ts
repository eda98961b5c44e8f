/** The packet parser: real and broken packets, written in hex, whole and cut at every byte. */
import { describe, expect, test } from 'vitest';
import { createPacketParser, type PacketResult } from '../../../app/listener/uwsgi/packet.ts';
import { encodePacket } from './client.ts';

const hex = (text: string): Buffer => Buffer.from(text.replaceAll(/[^0-9a-f]/g, ''), 'hex');

/** Feeds the pieces until the result is final; `left` has those that were not fed. */
const feed = (pieces: readonly Buffer[], bufferSize = 65_535): { result: PacketResult; left: Buffer } => {
  const parse = createPacketParser(bufferSize);
  for (const [index, piece] of pieces.entries()) {
    const result = parse(piece);
    if (result.kind !== 'more') return { result, left: Buffer.concat(pieces.slice(index + 1)) };
  }
  return { result: { kind: 'more' }, left: Buffer.alloc(0) };
};

const bytewise = (bytes: Buffer): Buffer[] => Array.from(bytes, (_, at) => bytes.subarray(at, at + 1));

//                   m1 size   m2  A=      "B"        CD=       ""        A=        "EF"
const packet = hex('00 1300 00  0100 41 0100 42   0200 4344 0000   0100 41 0200 4546');
const vars = [
  ['A', 'B'],
  ['CD', ''],
  ['A', 'EF'],
];

describe('a whole packet', () => {
  test('has its variables in order, with duplicates and empty values', () => {
    const { result } = feed([packet]);
    expect(result).toEqual({ kind: 'packet', modifier1: 0, modifier2: 0, vars, rest: Buffer.alloc(0) });
  });

  test('leaves the bytes after it as rest', () => {
    const { result } = feed([Buffer.concat([packet, hex('68 69')])]);
    expect(result).toMatchObject({ kind: 'packet', vars, rest: Buffer.from('hi') });
  });

  test('may have no variables', () => {
    for (const pieces of [[hex('00 0000 00')], [hex('00 00'), hex('00 00')], bytewise(hex('00 0000 00'))]) {
      expect(feed(pieces).result).toMatchObject({ kind: 'packet', vars: [] });
    }
  });

  test('keeps bytes above 7f as latin1', () => {
    expect(feed([hex('00 0700 00 0100 41 0200 c3a9')]).result).toMatchObject({ vars: [['A', 'Ã©']] });
  });

  test('reports modifier2', () => {
    expect(feed([hex('00 0000 07')]).result).toMatchObject({ kind: 'packet', modifier1: 0, modifier2: 7 });
  });

  test('may have another modifier1 if that is allowed', () => {
    expect(createPacketParser(65_535, [0, 5])(hex('05 0000 00'))).toMatchObject({ kind: 'packet', modifier1: 5 });
  });
});

describe('a packet in pieces', () => {
  const withBody = Buffer.concat([packet, Buffer.from('body')]);

  test.each(Array.from({ length: packet.length }, (_, at) => at))('cut in two at byte %i', (at) => {
    const { result, left } = feed([withBody.subarray(0, at), withBody.subarray(at)]);
    expect(result).toMatchObject({ kind: 'packet', vars, rest: Buffer.from('body') });
    expect(left).toHaveLength(0);
  });

  test('cut in three at every two bytes', () => {
    for (let first = 0; first < packet.length; first++) {
      for (let second = first; second < packet.length; second++) {
        const pieces = [withBody.subarray(0, first), withBody.subarray(first, second), withBody.subarray(second)];
        expect(feed(pieces).result).toMatchObject({ kind: 'packet', vars, rest: Buffer.from('body') });
      }
    }
  });

  test('byte by byte', () => {
    const { result, left } = feed(bytewise(withBody));
    expect(result).toMatchObject({ kind: 'packet', vars });
    expect(left.toString()).toBe('body');
  });

  test('is never complete before its last byte', () => {
    for (let end = 0; end < packet.length; end++) {
      expect(feed([packet.subarray(0, end)]).result.kind).toBe('more');
      expect(feed(bytewise(packet.subarray(0, end))).result.kind).toBe('more');
    }
  });

  test('of 64 KiB byte by byte is parsed in linear time', () => {
    const large = encodePacket({ A: 'x'.repeat(65_530) });
    const started = performance.now();
    expect(feed(bytewise(large)).result).toMatchObject({ kind: 'packet', vars: [['A', 'x'.repeat(65_530)]] });
    // Copying all earlier bytes with every byte would be 2 GB.
    expect(performance.now() - started).toBeLessThan(1000);
  });
});

describe('a broken packet', () => {
  test.each([
    ['one byte where a length should be', '00 0100 00  41', 'truncated-pair'],
    ['a name without a value', '00 0300 00  0100 41', 'truncated-pair'],
    ['half a length of a value', '00 0400 00  0100 41 01', 'truncated-pair'],
    ['a good pair, then one byte', '00 0700 00  0100 41 0100 42  01', 'truncated-pair'],
    ['a name longer than the block', '00 0300 00  0200 41', 'length-beyond-block'],
    ['a value longer than the block', '00 0600 00  0100 41 0200 42', 'length-beyond-block'],
    ['a value of 65535 bytes in a small block', '00 0600 00  0100 41 ffff 42', 'length-beyond-block'],
    ['a name of 65535 bytes in a small block', '00 0600 00  ffff 41 0100 42', 'length-beyond-block'],
    ['an empty name', '00 0500 00  0000 0100 42', 'empty-name'],
    ['an empty name and value', '00 0400 00  0000 0000', 'empty-name'],
    ['modifier1 1', '01 0000 00', 'modifier-not-served'],
    ['HTTP in place of uwsgi', '47 4554 20 2f 20', 'modifier-not-served'],
  ])('%s', (_, bytes, fault) => {
    const broken = hex(bytes);
    expect(feed([broken]).result).toMatchObject({ kind: 'fault', fault });
    expect(feed(bytewise(broken)).result).toMatchObject({ kind: 'fault', fault });
    for (let at = 0; at <= broken.length; at++) {
      expect(feed([broken.subarray(0, at), broken.subarray(at)]).result).toMatchObject({ kind: 'fault', fault });
    }
  });

  test('a block larger than the buffer is refused by its header alone', () => {
    expect(feed([hex('00 1100 00')], 16).result).toMatchObject({ kind: 'fault', fault: 'block-too-large' });
    expect(feed(bytewise(hex('00 1100 00')), 16).result).toMatchObject({ kind: 'fault', fault: 'block-too-large' });
    expect(feed([hex('00 1000 00')], 16).result.kind).toBe('more');
  });

  test('random bytes never throw, and result in a packet or a fault', () => {
    let seed = 1;
    const random = (): number => {
      seed = (seed * 1_103_515_245 + 12_345) % 2_147_483_648;
      return seed >> 16;
    };
    for (let round = 0; round < 3000; round++) {
      const bytes = Buffer.from(Array.from({ length: 4 + (random() % 40) }, () => random() % 6));
      bytes.writeUInt8(0, 0);
      bytes.writeUInt16LE(bytes.length - 4, 1);
      const whole = feed([bytes]).result;
      expect(whole.kind).not.toBe('more');
      expect(feed(bytewise(bytes)).result).toEqual(whole);
    }
  });
});
