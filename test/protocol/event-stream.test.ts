/** Event streams as https://html.spec.whatwg.org/multipage/server-sent-events.html has them. */
import { describe, expect, test } from 'vitest';
import { type Block, BlockReader, onOneLine } from '../../app/protocol/event-stream.ts';

const odd = 'a\u2028b\u2029c\u0085d\v\f';

/** The events of a stream that is cut at every position, and into single characters. */
const read = (text: string): Block[] => {
  const whole = new BlockReader().read(text);
  for (let at = 0; at <= text.length; at += 1) {
    const reader = new BlockReader();
    expect([...reader.read(text.slice(0, at)), ...reader.read(text.slice(at))], `cut at ${at}`).toEqual(whole);
  }
  const reader = new BlockReader();
  expect([...text].flatMap((character) => reader.read(character))).toEqual(whole);
  return whole;
};

describe('blocks', () => {
  test.each(['\n', '\r', '\r\n'])('end at an empty line, and lines at %j', (end) => {
    const lines = [
      'retry: 1000',
      '',
      'id: 7',
      'data: {"type":"x"}',
      '',
      ':',
      'id: 9',
      '',
      '',
      'data:one',
      'data: two',
      'data',
      '',
      'id: 1',
    ];
    expect(read(lines.join(end))).toEqual([
      { retry: '1000' },
      { id: '7', data: '{"type":"x"}' },
      { comment: '', id: '9' },
      { data: 'one\ntwo\n' },
    ]);
  });

  test('that are incomplete are counted in characters, of which one ends each line', () => {
    const reader = new BlockReader();
    const pending = (chunk: string) => {
      reader.read(chunk);
      return reader.pending;
    };
    expect(['id: 1\ndata', ': x', '\n', ':', '\n\n', 'data: y\n\n'].map(pending)).toEqual([10, 13, 14, 15, 0, 0]);
  });

  test('have no other fields than those of the standard', () => {
    expect(read('x1: a\nx2\n__proto__: b\ncomment: c\nid: 3\n\n')).toEqual([{ id: '3' }]);
    expect(read('x1: a\n\n')).toEqual([{}]);
  });

  test('end nowhere else', () => {
    expect(read(`id: 3\ndata: "${odd}"\n\n`)).toEqual([{ id: '3', data: `"${odd}"` }]);
  });
});

test('JSON text is on one line, also for parsers that split at more than CR and LF', () => {
  const json = JSON.stringify({ text: odd }).replace(':', ':\r\n');
  const line = onOneLine(json);
  expect(line.split(/\r\n|[\n\v\f\r\u0085\u2028\u2029]/)).toHaveLength(1);
  expect(JSON.parse(line)).toEqual({ text: odd });
});
