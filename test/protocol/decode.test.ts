import { afterEach, describe, expect, test, vi } from 'vitest';
import { ByteRange, Chunk, textOf } from '../../app/protocol/byte-range.ts';
import { decode, decodeTooLong, readPosted } from '../../app/protocol/decode.ts';
import { errors, fateOf } from '../../app/protocol/errors.ts';
import { most } from '../../app/protocol/limits.ts';
import { roomName } from '../../app/protocol/messages.ts';

describe('decode', () => {
  const data = '{"a" : [1, 2.50, "\\u0041"],  "b":null}';

  test('keeps the text of signal data unchanged', () => {
    const text = `{"type":"signal","n":7,"to":"abc","epoch":3,"data":${data}}`;
    expect(decode(text)).toEqual({ type: 'signal', n: 7, to: 'abc', epoch: 3, data });
  });

  test('returns the same message for any order of fields', () => {
    const message = decode(`{"data":${data},"epoch":3,"type":"signal","to":"abc","n":7}`);
    expect(message).toEqual({ type: 'signal', n: 7, to: 'abc', epoch: 3, data: JSON.stringify(JSON.parse(data)) });
  });

  test.each([
    ['1},"from":"victim"', 'smuggled fields'],
    ['1,"data":2', 'a second data'],
    ['', 'no data'],
    ['{', 'cut data'],
  ])('rejects data that is not one JSON value: %s (%s)', (bad) => {
    const message = decode(`{"type":"signal","n":1,"to":"a","epoch":1,"data":${bad}}`);
    const relayed = 'refused' in message ? '' : message.type === 'signal' ? message.data : '';
    expect('refused' in message || relayed === '2').toBe(true);
  });

  test.each([
    ['hello, everyone'],
    ['皆さん、こんにちは。 \ufeff\u200f'],
    ['x'.repeat(most.text)],
    ['x'.repeat(most.text + 1)],
    ['\u0085 \u2028 \u007f 👩\u200d👧'],
    ['a\u0080b'],
    ['\u2029'],
    [''],
  ])('returns the same text in both readers: %.30j', (text) => {
    for (const more of ['', ',"to":"abc"', ',"to":"a c"', ',"more":[1]']) {
      const fields = `"n":7,"text":"${text}"${more}`;
      expect(decode(`{"type":"chat",${fields}}`)).toEqual(decode(`{${fields},"type":"chat"}`));
    }
  });

  test.each([
    ['{', 'bad-json', undefined],
    ['[]', 'bad-message', 'message: Invalid input: expected object, received array'],
    ['{"type":"dance"}', 'unknown-type', 'in "type"'],
    ['{"type":"chat","n":0,"text":"x"}', 'bad-message', expect.stringContaining('n: ')],
    ['{"type":"join","media":{"audio":1,"video":true}}', 'bad-message', expect.stringContaining('media.audio')],
  ])('rejects %s as %s and says where', (text, refused, detail) => {
    expect(decode(text)).toEqual(detail === undefined ? { refused } : { refused, detail });
  });

  test.each([
    ['{"type":"signal","n":1,"to":"a b","epoch":1,"data":1}', 1, 'bad-message', 'to: '],
    ['{"n":7,"type":"dance"}', 7, 'unknown-type', 'type'],
    ['{"n":2}', 2, 'unknown-type', 'type'],
    [`{"type":"signal","n":3,"to":"a","epoch":1,"data":"${'x'.repeat(most.signal)}"}`, 3, 'too-long', 'signal.data'],
    [`{"n":3,"type":"signal","to":"a","epoch":1,"data":"${'x'.repeat(most.signal)}"}`, 3, 'too-long', 'signal.data'],
  ])('keeps the number of %.60s, which the refusal settles', (text, n, refused, where) => {
    const refusal = { refused, detail: expect.stringContaining(where) };
    expect(decode(text)).toEqual({ type: 'malformed', n, refusal });
    expect(decode(` ${text}`)).toEqual({ type: 'malformed', n, refusal });
  });

  test('keeps the number of a message that is too long, wherever it is', () => {
    const more = 'x'.repeat(100);
    const refusal = { refused: 'too-long', detail: '135 bytes, at most 99' };
    for (const text of [`{"n":4,"more":"${more}","type":"chat"}`, `{"type":"chat","more":"${more}","n":4}`])
      expect(decodeTooLong(text, 135, 99)).toEqual({ type: 'malformed', n: 4, refusal });
    expect(decodeTooLong(`{"type":"chat","text":"${more}","n":4`, 135, 99)).toEqual(refusal);
  });
});

describe('received bytes', () => {
  const start = '{"type":"signal","n":7,"to":"abc","epoch":3,"data":';
  const rangeOf = (text: string): ByteRange => {
    const bytes = Buffer.from(`,"n":8}${text}}`);
    return new ByteRange(new Chunk(bytes), 7, bytes.length - 1);
  };

  test.each([
    [`${start}{"a":[1,2.50,"\\u0041"],"b":null}}`],
    [`${start}{"a" : 1}}`],
    [`${start}"玄関 😀"}`],
    [`${start}"${'x'.repeat(most.signal - 2)}"}`],
    [`${start}"${'x'.repeat(most.signal - 1)}"}`],
    [`${start}"${'玄'.repeat(most.signal - 2)}"}`],
    [`${start}"${'玄'.repeat(most.signal - 1)}"}`],
    [`${start}${'['.repeat(most.depth - 1)}${']'.repeat(most.depth - 1)}}`],
    [`${start}${'['.repeat(most.depth)}${']'.repeat(most.depth)}}`],
    [`${start}}`],
    [`${start}1`],
    [`${start}1},"from":"victim"}`],
    [`${start}1,"data":2}`],
    [`${start}1,"n":9}`],
    [`${start.replace('7', '0')}1}`],
    [`${start.replace('7', '1234567890123456')}1}`],
    [`${start.replace('abc', 'a'.repeat(33))}1}`],
    [`${start.replace('7', '999999999999999').replace('abc', 'a'.repeat(32)).replace('3', '999999999999999')}1}`],
    ['{"type":"chat","n":1,"text":"hello"}'],
    ['{"type":"ping"}'],
    [''],
  ])('are decoded as their text is: %.90j', (text) => {
    const message = decode(rangeOf(text));
    const data = 'data' in message && message.type === 'signal' ? { data: textOf(message.data) } : {};
    expect({ ...message, ...data }).toEqual(decode(text));
  });

  test('of a signal stay bytes', () => {
    const message = decode(rangeOf(`${start}{"a":"玄"}}`));
    expect('data' in message && message.data instanceof ByteRange && message.data.text).toBe('{"a":"玄"}');
  });
});

describe('the messages in a body', () => {
  test.each([
    ['{"type":"chat"}', ['{"type":"chat"}']],
    [' [ {"a" : [1,2]} ,3\n, "x]" ] ', ['{"a" : [1,2]}', '3', '"x]"']],
    ['[[],{}]', ['[]', '{}']],
  ])('%j are cut out as they are', (body, messages) => {
    const posted = readPosted(body);
    expect('refused' in posted ? posted : [...posted]).toEqual(messages);
  });
  test.each([
    ['', 'bad-json'],
    ['[{}', 'bad-json'],
    ['{"a":}', 'bad-json'],
    ['[{},]', 'bad-json'],
    ['[]', 'bad-message'],
    [' [ ] ', 'bad-message'],
    ['7', 'bad-message'],
    ['null', 'bad-message'],
  ])('%j has none', (body, refused) => expect(readPosted(body)).toMatchObject({ refused }));
});

describe('fields that messages do not have', () => {
  const keys = (count: number): string => Array.from({ length: count }, (_, at) => `"key${at}":1`).join(',');
  afterEach(() => vi.restoreAllMocks());

  test.each([
    ['in the data of a signal', `{"type":"signal","n":1,"to":"a","epoch":1,"data":{${keys(2000)}}}`],
    ['in that of one in another order', `{"data":{${keys(2000)}},"type":"signal","n":1,"to":"a","epoch":1}`],
    ['in a message', `{"type":"ping",${keys(2000)}}`],
    ['in a field', `{"type":"update","n":1,"media":{"audio":true,"video":true,${keys(2000)}}}`],
    ['in an unknown field', `{"type":"ping","more":{${keys(2000)}}}`],
    ['in a list', `{"type":"join","token":[{${keys(2000)}}]}`],
    ['in a message that is too long', `{${keys(5000)},"n":1}`],
  ])('%s are not parsed, because new keys cost a hundred times as much as an SDP', (_where, message) => {
    const parse = vi.spyOn(JSON, 'parse');
    if (message.length > 60_000) decodeTooLong(message, message.length, 60_000);
    else decode(message);
    expect(parse.mock.calls.filter(([text]) => text.includes('key1'))).toEqual([]);
  });

  test('are ignored, however many there are', () => {
    const more = keys(50);
    expect(
      decode(`{"type":"update","x":{${more}},"n":1,"media":{"audio":true,"video":false,${more}},${more}}`),
    ).toEqual({
      type: 'update',
      n: 1,
      media: { audio: true, video: false },
    });
    expect(decode(`{"type":"ping","media":[${'1,'.repeat(50)}1]}`)).toEqual({ type: 'ping' });
    expect(decode(`{"type":"join","media":[${'1,'.repeat(50)}1]}`)).toMatchObject({ refused: 'bad-message' });
    expect(decode(`{${more},"n":3}`)).toMatchObject({ type: 'malformed', n: 3 });
  });
  test('the data of a signal stays as it is among many values, even under an escaped key', () => {
    const data = `[ ${'{"a" : 1}, '.repeat(20)}"\\u0041" ]`;
    for (const key of ['data', 'd\\u0061ta'])
      expect(decode(`{"${key}": ${data} ,"type":"signal","n":1,"to":"a","epoch":1}`)).toMatchObject({ data });
    expect(decode('{"d\\u0061ta":"x","type":"signal","n":1,"to":"a","epoch":1}')).toMatchObject({ data: '"x"' });
  });
});

describe('nesting', () => {
  const nested = (depth: number): string => '['.repeat(depth) + ']'.repeat(depth);
  const signal = (depth: number): string => `{"type":"signal","n":1,"to":"a","epoch":1,"data":${nested(depth)}}`;
  const refusal = { refused: 'bad-message', detail: `nested more than ${most.depth} deep` };

  test.each([most.depth, most.depth + 1, 30_000, 300_000])('of %i levels in a message is refused', (depth) => {
    const texts = [signal(depth), `{"data":${nested(depth)},"type":"signal","n":1,"to":"a","epoch":1}`];
    for (const text of [...texts, `{"type":"chat","n":1,"text":"x","more":${nested(depth)}}`]) {
      expect(decode(text)).toEqual({ type: 'malformed', n: 1, refusal });
    }
    expect(decode(nested(depth + 1))).toEqual(refusal);
    expect(decode(`{"type":"ping","more":${nested(depth)}}`)).toEqual(refusal);
    expect(decode('['.repeat(depth + 1))).toEqual({ refused: 'bad-json' });
  });

  test('within the limit, and any number of brackets side by side or in strings, is accepted', () => {
    const data = [
      nested(most.depth - 1),
      `[${'[],{},'.repeat(200)}0]`,
      `"${'[{\\"'.repeat(200)}"`,
      `["\\\\",${nested(9)}]`,
    ];
    for (const each of data)
      expect(decode(`{"type":"signal","n":1,"to":"a","epoch":1,"data":${each}}`)).toMatchObject({ data: each });
  });
});

describe('room names', () => {
  test('are equal in composed and decomposed spelling', () => {
    expect(roomName.parse('cafe\u0301')).toBe(roomName.parse('caf\u00e9'));
  });
  test.each(['', 'a/b', 'a.b', 'a\u0000', '\u202eabc', '😀'])('do not include %j', (name) => {
    expect(roomName.safeParse(name).success).toBe(false);
  });
});

describe('the table of errors', () => {
  const codes = Object.keys(errors) as (keyof typeof errors)[];
  test.each(codes)('%s: close code and retry agree', (code) => {
    const { close, retry, status } = fateOf(code);
    if (close !== undefined)
      expect(close < 4500 ? 'reconnect' : 'do not').toBe(retry === undefined ? 'do not' : 'reconnect');
    expect(status).toBeGreaterThanOrEqual(200);
  });
  test('no two codes have the same close code', () => {
    const closes = codes.map((code) => fateOf(code).close).filter((close) => close !== undefined);
    expect(new Set(closes).size).toBe(closes.length);
  });
});
