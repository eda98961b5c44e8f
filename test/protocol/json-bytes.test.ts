/** What the quick proof accepts is JSON within the depth, wherever it lies in memory. */
import { describe, expect, test } from 'vitest';
import { ByteRange, Chunk } from '../../app/protocol/byte-range.ts';
import { isCompactJson } from '../../app/protocol/json-bytes.ts';
import { nestsDeeper } from '../../app/protocol/nesting.ts';
import { randomFrom } from '../listener/uwsgi/random.ts';

const parses = (text: string): boolean => {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
};

/** Between bytes that would continue it, at a position of this alignment. */
const rangeOf = (text: string, alignment = 0, around = '"1,'): ByteRange => {
  const memory = Buffer.allocUnsafeSlow(Buffer.byteLength(text) + 32).fill(around);
  const from = 8 + alignment;
  const length = memory.write(text, from);
  return new ByteRange(new Chunk(memory.subarray(4)), from - 4, from - 4 + length);
};

const compact = [
  '0',
  '-1.5e+30',
  '""',
  'null',
  'true',
  'false',
  '{}',
  '[]',
  '[[],{},[{}]]',
  '{"candidate":{"candidate":"candidate:1 1 udp 2122260223 192.0.2.1 50000 typ host","sdpMid":"0","sdpMLineIndex":0}}',
  `{"description":{"type":"offer","sdp":"v=0\\r\\n${'a=b:\\"c\\\\d\\r\\n'.repeat(9)}"}}`,
  '{"":[1,2.5,-0,0e0,true,false,null,"\\u0041\\/\\b\\f\\n\\r\\t"]}',
  '"玄関 😀 \u007f\u0080\u2028"',
];

describe('isCompactJson', () => {
  test('accepts what JSON.stringify writes, at every alignment', () => {
    for (const text of [...compact, ...compact.map((each) => JSON.stringify(JSON.parse(each)))])
      for (const alignment of [0, 1, 2, 3, 4, 5, 6, 7])
        expect(isCompactJson(rangeOf(text, alignment), 31), `${text} at ${alignment}`).toBe(true);
  });

  test('accepts no beginning of it, and nothing that is appended', () => {
    for (const text of compact) {
      const bytes = Buffer.from(text);
      for (let end = 0; end < bytes.length; end += 1) {
        const { chunk, from } = rangeOf(text, end % 4);
        const cut = bytes.toString('utf8', 0, end);
        if (!cut.includes('\ufffd'))
          expect(isCompactJson(new ByteRange(chunk, from, from + end), 31), cut).toBe(parses(cut));
      }
      for (const more of ['}', ',', '"', ']', '0x', ',"a":1', '\0', ' ', '\n'])
        expect(isCompactJson(rangeOf(text + more), 31) && !parses(text + more), text + more).toBe(false);
    }
  });

  test('accepts no string with a control character, a bad escape or without an end, wherever that is', () => {
    for (let at = 0; at < 24; at += 1)
      for (const bad of ['\0', '\n', '\u001f', '\\x', '\\u12g4', '\\u123', '\\'])
        for (const alignment of [0, 1, 2, 3]) {
          const text = `"${'!'.repeat(at)}${bad}${'~'.repeat(24 - at)}"`;
          expect(isCompactJson(rangeOf(text, alignment), 31), JSON.stringify(text)).toBe(false);
        }
  });

  test('accepts nothing that JSON.parse does not, and all of it without white space, after random changes', () => {
    const random = randomFrom(18);
    const letters = '"\\{}[]:,0123456789.eE+-truefalsnu \t\n\u0001\u0020\u0021\u0022\u0023\u005b\u005d\u007f玄';
    for (let run = 0; run < 20_000; run += 1) {
      let text = compact[random(compact.length)] ?? '';
      for (let changes = random(4); changes > 0; changes -= 1) {
        const at = random(text.length + 1);
        text = text.slice(0, at) + (letters[random(letters.length)] ?? '') + text.slice(at + random(3));
      }
      text = text.toWellFormed();
      const accepted = isCompactJson(rangeOf(text, random(8)), 31);
      const hasSpace = /[ \t\r\n]/.test(text.replaceAll(/"(?:[^"\\]|\\.)*"/g, '""'));
      expect(accepted, JSON.stringify(text)).toBe(parses(text) && !hasSpace);
    }
  });

  test('counts brackets that are open at once', () => {
    for (const depth of [1, 2, 31])
      for (const levels of [depth, depth + 1])
        for (const [open, close] of [
          ['[', ']'],
          ['{"a":', '}'],
        ]) {
          const text = `${open?.repeat(levels)}0${close?.repeat(levels)}`;
          expect(isCompactJson(rangeOf(text), depth)).toBe(levels <= depth);
          expect(nestsDeeper(text, depth)).toBe(levels > depth);
        }
  });
});
