/** Names and texts as they are shown: nothing hidden, no reversed direction, and nothing lost that a language needs. */
import { describe, expect, test, vi } from 'vitest';
import { claims } from '../../app/auth/token.ts';
import { decode } from '../../app/protocol/decode.ts';
import { cleanName, cleanText } from '../../app/protocol/shown.ts';

describe('a name', () => {
  test.each([
    'Aiko',
    'José',
    'Jose\u0301',
    '玄関',
    "O'Neill-Šmíd",
    // Persian and Hindi, with zero width non-joiner and joiner.
    'می\u200cخواهم',
    'क्\u200dष',
    // A family, a rainbow flag, a keycap, a heart, the flag of Scotland, a skin tone.
    '👩\u200d👩\u200d👧',
    '🏳\ufe0f\u200d🌈',
    '1\ufe0f\u20e3',
    '❤\ufe0f',
    '🏴\u{e0067}\u{e0062}\u{e0073}\u{e0063}\u{e0074}\u{e007f}',
    '👍🏽',
    // Mongolian with a variation selector; an ideograph with one.
    'ᠠ\u180b',
    '葛\u{e0100}',
  ])('is unchanged: %s', (name) => expect(cleanName(name)).toBe(name));

  test.each([
    ['\u202etsoh', 'tsoh'],
    ['\u2066host\u2069', 'host'],
    ['Ai\u200bko', 'Aiko'],
    ['Ai\u200dko\u200d', 'Aiko'],
    ['A\ufe0fi\u00adk\u2060o\ufeff', 'Aiko'],
    ['\ud800Aiko\udc00', 'Aiko'],
    ['Ai\u2028ko\u2029', 'Ai ko'],
    ['Ai\nko\u0007', 'Ai ko'],
    ['Aiko\u{e0061}\u{e0062}', 'Aiko'],
    ['می\u200c\u200c\u200cخ', 'می\u200cخ'],
    ['❤\ufe0f\ufe0f\ufe0f', '❤\ufe0f'],
    ['\u3164Aiko\u115f', 'Aiko'],
  ])('%j is shown as %j', (name, wanted) => expect(cleanName(name)).toBe(wanted));

  test.each([
    '\u200f\u200f',
    '\u3164',
    '\u2066',
    ' \u00a0\u3000',
    '\u200d',
    '\ufe0f',
    '\u2800',
    '\ud800',
    '\u0301',
    '\u{e0061}',
    '',
  ])('%j has no visible character', (name) => expect(cleanName(name)).toBe(''));
});

describe('messages', () => {
  test('a peer joining with an invisible name has no name, and is not refused', () => {
    expect(decode('{"type":"join","name":"\u202etsoh"}')).toEqual({ type: 'join', name: 'tsoh' });
    expect(decode('{"type":"join","name":"\u3164"}')).toEqual({ type: 'join', name: undefined });
    expect(decode('{"type":"join","name":"\\ud800"}')).toEqual({ type: 'join', name: undefined });
  });

  test.each(['', '   ', '\u3000', '\n', '\u200b', ' \u200b '])(
    'the name %j is no name, however it is empty',
    (name) => {
      expect(decode(JSON.stringify({ type: 'join', name }))).toEqual({ type: 'join', name: undefined });
      expect(claims.parse({ room: 'garden', exp: 1, name }).name).toBeUndefined();
      expect(decode(JSON.stringify({ type: 'update', n: 1, name }))).toMatchObject({
        refusal: { refused: 'bad-message' },
      });
    },
  );

  test('a name that is too long is refused before it is cleaned', () => {
    const text = JSON.stringify('\u200d\ufe0f'.repeat(16_000));
    const replace = vi.spyOn(String.prototype, 'replaceAll');
    const answers = ['join', 'update'].map((type) => decode(`{"type":"${type}","n":1,"name":${text}}`));
    const cleanings = replace.mock.calls.length;
    replace.mockRestore();
    for (const answer of answers)
      expect(answer).toMatchObject({ refusal: { detail: expect.stringContaining('name: ') } });
    expect(cleanings).toBe(0);
  });

  test('an update to an invisible name is refused', () => {
    const text = (name: string) => JSON.stringify({ type: 'update', n: 1, name });
    expect(decode(text('\u2066Ben\u2069'))).toEqual({ type: 'update', n: 1, name: 'Ben' });
    expect(decode(text('\u3164'))).toMatchObject({ n: 1, refusal: { refused: 'bad-message' } });
  });

  test('a text keeps its line breaks and tabs, and loses other control characters', () => {
    const text = 'one\ttwo\r\nthree\u2028four\rfive\u0000\u0007\u009b\ud800 \u200fשלום\u200f 👩\u200d👧';
    const clean = 'one\ttwo\nthree\nfour\nfive \u200fשלום\u200f 👩\u200d👧';
    expect(cleanText(text)).toBe(clean);
    expect(decode(JSON.stringify({ type: 'chat', n: 1, text }))).toEqual({ type: 'chat', n: 1, text: clean });
    for (const code of [...Array(0x20).keys(), 0x7f, 0x85, 0x9f, 0x2028, 0x2029, 0xd800, 0xdfff]) {
      const kept = { 9: '\t', 10: '\n', 13: '\n', 133: '\n', 8232: '\n', 8233: '\n' }[code] ?? '';
      expect(cleanText(`a${String.fromCharCode(code)}b`)).toBe(`a${kept}b`);
    }
    expect(decode('{"type":"chat","n":1,"text":"\\u0007"}')).toMatchObject({
      n: 1,
      refusal: { refused: 'bad-message' },
    });
  });
});
