import { describe, expect, test } from 'vitest';
import { decode } from '../../app/protocol/decode.ts';
import { errors, fateOf } from '../../app/protocol/errors.ts';
import { roomName } from '../../app/protocol/messages.ts';

describe('decode', () => {
  const data = '{"a" : [1, 2.50, "\\u0041"],  "b":null}';

  test('keeps the data of a signal as the text it was', () => {
    const text = `{"type":"signal","n":7,"to":"abc","epoch":3,"data":${data}}`;
    expect(decode(text)).toEqual({ type: 'signal', n: 7, to: 'abc', epoch: 3, data });
  });

  test('gives the same message when the fields stand in another order', () => {
    const message = decode(`{"data":${data},"epoch":3,"type":"signal","to":"abc","n":7}`);
    expect(message).toEqual({ type: 'signal', n: 7, to: 'abc', epoch: 3, data: JSON.stringify(JSON.parse(data)) });
  });

  test.each([
    ['1},"from":"victim"', 'smuggled fields'],
    ['1,"data":2', 'a second data'],
    ['', 'no data'],
    ['{', 'cut data'],
  ])('data that is not one JSON value is never passed on: %s (%s)', (bad) => {
    const message = decode(`{"type":"signal","n":1,"to":"a","epoch":1,"data":${bad}}`);
    const relayed = 'refused' in message ? '' : message.type === 'signal' ? message.data : '';
    expect('refused' in message || relayed === '2').toBe(true);
  });

  test.each([
    ['{', 'bad-json', undefined],
    ['[]', 'bad-message', 'message: Invalid input: expected object, received array'],
    ['{"type":"dance"}', 'unknown-type', 'in "type"'],
    ['{"type":"chat","n":0,"text":"x"}', 'bad-message', expect.stringContaining('n: ')],
    ['{"type":"signal","n":1,"to":"a b","epoch":1,"data":1}', 'bad-message', expect.stringContaining('to: ')],
    ['{"type":"update","n":1,"media":{"audio":1,"video":true}}', 'bad-message', expect.stringContaining('media.audio')],
  ])('%s is %s and says where', (text, refused, detail) => {
    expect(decode(text)).toEqual(detail === undefined ? { refused } : { refused, detail });
  });
});

describe('room names', () => {
  test('composed and decomposed spelling are one room', () => {
    expect(roomName.parse('cafe\u0301')).toBe(roomName.parse('caf\u00e9'));
  });
  test.each(['', 'a/b', 'a.b', 'a\u0000', '\u202eabc', '😀'])('%j is none', (name) => {
    expect(roomName.safeParse(name).success).toBe(false);
  });
});

describe('the table of errors', () => {
  const codes = Object.keys(errors) as (keyof typeof errors)[];
  test.each(codes)('%s: close code and retry agree', (code) => {
    const { close, retry, status } = fateOf(code);
    if (close !== undefined)
      expect(close < 4500 ? 'come back' : 'do not').toBe(retry === undefined ? 'do not' : 'come back');
    expect(status).toBeGreaterThanOrEqual(200);
  });
  test('no two codes close alike', () => {
    const closes = codes.map((code) => fateOf(code).close).filter((close) => close !== undefined);
    expect(new Set(closes).size).toBe(closes.length);
  });
});
