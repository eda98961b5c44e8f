/** JSON text is accepted exactly when JSON.parse accepts it, and cut where its values begin and end. */
import { describe, expect, test } from 'vitest';
import { isJson, readArray, readObject } from '../../app/protocol/json-text.ts';
import { randomFrom } from '../listener/uwsgi/random.ts';

const parses = (text: string): boolean => {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
};

const samples = [
  ...[
    '',
    ' ',
    'null',
    'true',
    'false',
    'nul',
    'nulll',
    'True',
    '"',
    '""',
    '"a',
    'a"',
    '"\\"',
    '"\\""',
    "'a'",
    '"\0"',
    '\0',
    '1\0',
  ],
  ...[
    '0',
    '-0',
    '-',
    '01',
    '-01',
    '1.',
    '.5',
    '1.5',
    '1e',
    '1e5',
    '1E+5',
    '1e-',
    '1.5e-7',
    '+1',
    '1 2',
    '0x1',
    'NaN',
    '--1',
    '1e5.',
  ],
  ...[
    '[]',
    '[',
    ']',
    '[]]',
    '[[]',
    '[1,]',
    '[,1]',
    '[1 2]',
    '[1,2]',
    '{}',
    '{',
    '}',
    '{}}',
    '[}',
    '{]',
    '{"a"}',
    '{"a":}',
    '{a:1}',
  ],
  ...[
    '{"a":1,}',
    '{,}',
    '{"a":1 "b":2}',
    '{"a":1,"b":2}',
    '{"a":{"b":[{}]}}',
    '[{"a":1},{"b":[]}]',
    '{1:1}',
    '{"a":1}{}',
    '[1]2',
  ],
  ...[
    '"\\u0041"',
    '"\\u004"',
    '"\\u004g"',
    '"\\x41"',
    '"\\b\\f\\n\\r\\t\\/\\\\"',
    '"\\u"',
    '"\n"',
    '"\t"',
    '"\u007f\u2028"',
    '"\ud800"',
  ],
  ...[
    ' \t\r\n[ \n1 , 2 ] ',
    '\u00a01',
    '\ufeff1',
    '"あ"',
    '[1]\f',
    '"玄関 👩\u200d👧"',
    '{"\\u0061" : "\\ud83d"}',
    '[1e400,-0.0]',
  ],
];

describe('isJson', () => {
  test.each(samples)('%j', (text) => expect(isJson(text)).toBe(parses(text)));

  test('any change of valid text, and every beginning of it', () => {
    const next = randomFrom(1);
    const all = JSON.stringify(samples.filter(parses).map((text) => JSON.parse(text)));
    for (let end = 0; end < all.length; end += 1) expect(isJson(all.slice(0, end))).toBe(false);
    const letters = [...'[]{}",:\\ut0e1-.+ n\n\0あ'];
    for (let count = 0; count < 5000; count += 1) {
      const from = next(all.length - 60);
      const piece = [...all.slice(from, from + next(60))];
      for (let change = 0; change <= next(3); change += 1)
        piece.splice(next(piece.length + 1), next(2), letters[next(letters.length)] ?? '');
      for (const text of [piece.join(''), `[${piece.join('')}]`, `{"a":${piece.join('')}}`])
        if (isJson(text) !== parses(text)) expect(text).toBe(parses(text) ? 'JSON' : 'not JSON');
    }
  });

  test('text that is nested to any depth', () => {
    const depth = 200_000;
    expect(isJson('['.repeat(depth) + ']'.repeat(depth))).toBe(true);
    expect(isJson('['.repeat(depth))).toBe(false);
    expect(isJson(`${'{"a":'.repeat(depth)}1${'}'.repeat(depth)}`)).toBe(true);
  });
});

test('readObject gives every key, unescaped, with the text of its value', () => {
  const fields: [string, string][] = [];
  const text = ' { "a" : [1, {"b":2}] , "\\u0062\\"":"}" ,"a":-1.5e3,"":{ } } ';
  expect(readObject(text, (key, from, end) => fields.push([key, text.slice(from, end)]))).toBe(true);
  expect(fields).toEqual([
    ['a', '[1, {"b":2}]'],
    ['b"', '"}"'],
    ['a', '-1.5e3'],
    ['', '{ }'],
  ]);
  for (const other of ['[]', '1', '{"a":1', '{"a":1}1', ''])
    expect(readObject(other, () => expect.unreachable())).toBe(false);
});

test('readArray gives the text of every item', () => {
  expect([...(readArray(' [ 1 ,[2,"]"], {"a":[]} ] ') ?? [])]).toEqual(['1', '[2,"]"]', '{"a":[]}']);
  expect([...(readArray('[]') ?? [1])]).toEqual([]);
  for (const other of ['{}', '[1', '[1]]', '']) expect(readArray(other)).toBeUndefined();
});
