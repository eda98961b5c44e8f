/** The library's parser of event streams: lines end at CR, LF and CRLF, wherever the network cuts them. */
import { expect, test } from 'vitest';
import { EventStream } from '../../app/client/event-stream.ts';

const read = (pieces: string[]) => {
  const events: [string, string][] = [];
  const stream = new EventStream(1000, (id, data) => {
    if (data) events.push([id, data]);
  });
  for (const piece of pieces) expect(stream.take(piece)).toBe(true);
  return events;
};

test.each(['\n', '\r', '\r\n'])('events with lines that end in %j are parsed the same, cut anywhere', (end) => {
  const lines = [
    'retry: 1000',
    '',
    ': ',
    'id: 4',
    '',
    'id: 5',
    'data: {"text":"a\u2028b"}',
    '',
    'data: {"n":1}',
    '',
    '',
  ];
  const text = lines.join(end);
  // After a CR only the next byte shows whether the line has ended.
  const whole = `${text}${end === '\r' ? ': \n' : ''}`;
  const expected = [
    ['5', '{"text":"a\u2028b"}'],
    ['', '{"n":1}'],
  ];
  expect(read([whole])).toEqual(expected);
  for (let at = 1; at < whole.length; at += 1) expect(read([whole.slice(0, at), whole.slice(at)])).toEqual(expected);
  expect(read([...whole])).toEqual(expected);
});

test('an event that is too long ends the stream', () => {
  const stream = new EventStream(10, () => {});
  expect(stream.take('data: ')).toBe(true);
  expect(stream.take('x'.repeat(20))).toBe(false);
});
