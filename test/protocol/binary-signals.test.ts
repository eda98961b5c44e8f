/** Binary signals: nothing but their line decides what a message is, and nothing in their data becomes more than data. */
import { expect, test } from 'vitest';
import { binaryHead, decodeBinary, jsonDataOf, numberInLine } from '../../app/protocol/binary-signals.ts';
import { ByteRange, Chunk, lastingOf } from '../../app/protocol/byte-range.ts';
import { decode } from '../../app/protocol/decode.ts';
import { most } from '../../app/protocol/limits.ts';
import { jsonOfData, readSignalFrame, signalFrame } from '../../app/protocol/signal-frame.ts';
import { randomFrom } from '../listener/uwsgi/random.ts';

/** Between bytes that would change its meaning. */
const messageOf = (payload: string | Uint8Array): ByteRange => {
  const middle = Buffer.from(payload as string);
  const bytes = Buffer.concat([Buffer.from('9 x 9\n'), middle, Buffer.from('9 x 9\n"')]);
  return new ByteRange(new Chunk(bytes), 6, 6 + middle.length, true);
};
const decoded = (payload: string | Uint8Array, maxBytes = 65_536) => {
  const message = decodeBinary(messageOf(payload), maxBytes);
  if (!('type' in message) || message.type !== 'signal' || typeof message.data === 'string') return message;
  const { chunk, from, end } = message.data;
  return { ...message, data: chunk.bytes.toString('latin1', from, end) };
};

test('a line and data are a signal, whatever the data is', () => {
  for (const data of ['1', '\n', '\0', '8 y 8\n', '{"n":2}', '\xff\xfe', 'x'.repeat(most.signal)])
    expect(decoded(Buffer.from(`7 a-_1 3\n${data}`, 'latin1'))).toEqual({
      type: 'signal',
      n: 7,
      to: 'a-_1',
      epoch: 3,
      data,
    });
});

test('what signalFrame writes is read', () => {
  const text = '{"a":"玄 😀"}';
  const read = decodeBinary(messageOf(signalFrame(7, 'a', 3, text)), 65_536);
  expect('data' in read && jsonDataOf(read.data)).toBe(text);
});

test.each([
  '',
  '\n1',
  '7',
  '7\n1',
  ' 7 a 3\n1',
  '07 a 3\n1',
  '0 a 3\n1',
  '-7 a 3\n1',
  '7.0 a 3\n1',
  '1234567890123456 a 3\n1',
  '{"n":1}',
])('a frame without a number is refused without one: %j', (payload) => {
  expect(decoded(payload)).toMatchObject({ refused: 'bad-message' });
  expect(numberInLine(messageOf(payload))).toBeUndefined();
});

test.each([
  '7 ',
  '7 a\n1',
  '7 a 3',
  '7 a 3 \n1',
  '7  a 3\n1',
  '7 a 03\n1',
  '7 a 0\n1',
  '7 a 3\r\n1',
  '7 ä 3\n1',
  '7 a b 3\n1',
  '7  3\n1',
  `7 ${'a'.repeat(33)} 3\n1`,
  '7 a 1234567890123456\n1',
])('a frame with a number and without a valid line settles the number: %j', (payload) => {
  expect(decoded(payload)).toMatchObject({ type: 'malformed', n: 7, refusal: { refused: 'bad-message' } });
});

test('a valid line settles its number when the data is missing or too long', () => {
  expect(decoded('7 a 3\n')).toMatchObject({ type: 'malformed', n: 7, refusal: { refused: 'bad-message' } });
  const long = `7 a 3\n${'x'.repeat(most.signal + 1)}`;
  expect(decoded(long)).toMatchObject({ type: 'malformed', n: 7, refusal: { refused: 'too-long' } });
  expect(decoded('7 a 3\n12345', 10)).toMatchObject({ type: 'malformed', n: 7, refusal: { refused: 'too-long' } });
  expect(numberInLine(messageOf(long))).toBe(7);
});

test('the longest line is read, cut at every byte it is not', () => {
  const line = `999999999999999 ${'a'.repeat(32)} 999999999999999\n`;
  expect(decoded(`${line}1`)).toMatchObject({ type: 'signal', n: 999_999_999_999_999 });
  for (let end = 0; end < line.length; end += 1) expect(decoded(line.slice(0, end))).not.toHaveProperty('data');
});

test('random bytes are a signal exactly if they begin with a line, and its data is the rest', () => {
  const random = randomFrom(2);
  const parts = ['7', '0', '12', ' ', 'a', 'b_-', '3', '\n', '{', '\0', 'ÿ', '1234567890123456'];
  for (let run = 0; run < 4_000; run += 1) {
    const payload = Array.from({ length: random(9) }, () => parts[random(parts.length)]).join('');
    const found = /^([1-9]\d{0,14}) ([\w-]{1,32}) ([1-9]\d{0,14})\n(.*)$/s.exec(payload);
    const message = decoded(Buffer.from(payload, 'latin1'));
    if (!found || found[4] === '') expect(message, payload).not.toHaveProperty('data');
    else
      expect(message).toEqual({
        type: 'signal',
        n: Number(found[1]),
        to: found[2],
        epoch: Number(found[3]),
        data: found[4],
      });
  }
});

test('a receiver of JSON gets data only if a text with it would be relayed', () => {
  const random = randomFrom(3);
  const parts = ['{', '}', '[', ']', '"a"', ':', ',', '1', 'null', ' ', '\n', '"', '\\', '\xff', '玄', '\ufeff'];
  for (let run = 0; run < 4_000; run += 1) {
    const data = Array.from({ length: 1 + random(6) }, () => parts[random(parts.length)]).join('');
    const text = decode(`{"type":"signal","n":1,"to":"a","epoch":1,"data":${data}}`);
    const relayed = 'type' in text && text.type === 'signal' && text.data === data;
    expect(jsonDataOf(ByteRange.binary(Buffer.from(data))), data).toBe(relayed ? data : 'null');
  }
  expect(jsonDataOf(ByteRange.binary(Buffer.from([0x22, 0xff, 0x22])))).toBe('null');
});

test('a frame of the server is read by the library; other data than JSON is null', () => {
  const frame = Buffer.concat([Buffer.from(binaryHead(5, 'b', 3)), Buffer.from('{"a":"玄"}')]);
  const signal = readSignalFrame(frame);
  expect(signal).toMatchObject({ type: 'signal', seq: 5, from: 'b', epoch: 3 });
  expect(signal && jsonOfData(signal.data)).toEqual({ a: '玄' });
  for (const data of ['', '{', '1,2', '\xff']) expect(jsonOfData(Buffer.from(data, 'latin1'))).toBeNull();
  for (const broken of ['', '5 b 3', 'x', '5 b\n1']) expect(readSignalFrame(Buffer.from(broken))).toBeUndefined();
});

test('what is kept for longer does not keep the chunk, and can be written as JSON', () => {
  const message = messageOf(Buffer.from([0, 0xff, 0x31]));
  const kept = lastingOf(message) as ByteRange;
  message.chunk.bytes.fill('x');
  expect([...kept.chunk.bytes]).toEqual([0, 0xff, 0x31]);
  expect([...ByteRange.fromJsonText(kept.toJsonText()).chunk.bytes]).toEqual([0, 0xff, 0x31]);
});
