/**
 * Checks and splits JSON text (RFC 8259) from clients without building its values: JSON.parse keeps every new key in tables of the
 * process, so that an object of such keys costs a hundred times as much as an SDP of the same length.
 */

/** UTF-16 code units, followed by a 0, so that no position is beyond the end. */
type Codes = Uint16Array;

/** Whether the text is one JSON value. */
export const isJson = (text: string): boolean => isOneValue(codesOf(text));

/**
 * Calls `each` with every key of an object and the positions of its value.
 * @returns whether the text is an object; if not, `each` is not called
 */
export const readObject = (text: string, each: (key: string, from: number, end: number) => void): boolean => {
  const codes = codesOf(text);
  let at = skipSpace(codes, 0);
  if (codes[at] !== openBrace || !isOneValue(codes)) return false;
  for (at = skipSpace(codes, at + 1); codes[at] !== closeBrace; at = skipSeparator(codes, at)) {
    const key = text.slice(at, skipString(codes, at));
    const from = skipSpace(codes, skipKey(codes, at));
    at = skipValue(codes, from);
    each(key.includes('\\') ? JSON.parse(key) : key.slice(1, -1), from, at);
  }
  return true;
};

/** The texts of the items of an array, each cut out when it is asked for; undefined if the text is not an array. */
export const readArray = (text: string): Iterable<string> | undefined => {
  const codes = codesOf(text);
  const start = skipSpace(codes, 0);
  return codes[start] === openBracket && isOneValue(codes) ? itemsOf(text, codes, start) : undefined;
};

function* itemsOf(text: string, codes: Codes, start: number): Iterable<string> {
  for (let at = skipSpace(codes, start + 1); codes[at] !== closeBracket; at = skipSeparator(codes, at)) {
    const from = at;
    at = skipValue(codes, from);
    yield text.slice(from, at);
  }
}

/** In an array, because reading a string by characters takes five times as long. */
const codesOf = (text: string): Codes => {
  const bytes = Buffer.from(`${text}\0`, 'utf16le');
  if (isBigEndian) bytes.swap16();
  return new Uint16Array(bytes.buffer, bytes.byteOffset, text.length + 1);
};
const isBigEndian = new Uint8Array(new Uint16Array([1]).buffer)[0] === 0;

const isOneValue = (codes: Codes): boolean => {
  const end = skipValue(codes, 0);
  return end >= 0 && skipSpace(codes, end) === codes.length - 1;
};

// Each of these returns a position: after what it skips, or -1 if that is not there.

/** Iterative, because the text may be nested to any depth. */
const skipValue = (codes: Codes, from: number): number => {
  /** The closing brackets of the containers around `at`. */
  const closers: number[] = [];
  let at = from;
  while (at >= 0) {
    at = skipSpace(codes, at);
    const code = codes[at] as number;
    if (code === openBrace || code === openBracket) {
      closers.push(code + 2);
      at = skipSpace(codes, at + 1);
      if (codes[at] !== code + 2) {
        if (code === openBrace) at = skipKey(codes, at);
        continue;
      }
    } else at = code === quote ? skipString(codes, at) : skipPrimitive(codes, at);
    at = skipToNextValue(codes, at, closers);
    if (closers.length === 0) return at;
  }
  return -1;
};

/** Skips what follows a value: the ends of its containers, and a comma with the next key. */
const skipToNextValue = (codes: Codes, from: number, closers: number[]): number => {
  let at = from;
  while (at >= 0 && closers.length > 0) {
    at = skipSpace(codes, at);
    const closer = closers[closers.length - 1];
    if (codes[at] === comma) return closer === closeBrace ? skipKey(codes, skipSpace(codes, at + 1)) : at + 1;
    if (codes[at] !== closer) return -1;
    closers.pop();
    at += 1;
  }
  return at;
};

/** After a value within valid text: the next value or key, or the end of the container. */
const skipSeparator = (codes: Codes, from: number): number => {
  const at = skipSpace(codes, from);
  return codes[at] === comma ? skipSpace(codes, at + 1) : at;
};

/** A key and its colon. */
const skipKey = (codes: Codes, from: number): number => {
  const end = codes[from] === quote ? skipString(codes, from) : -1;
  if (end < 0) return -1;
  const at = skipSpace(codes, end);
  return codes[at] === colon ? at + 1 : -1;
};

const skipString = (codes: Codes, from: number): number => {
  let at = from + 1;
  while (at >= 0) {
    const code = codes[at] as number;
    if (code === quote) return at + 1;
    if (code < 0x20) return -1;
    at = code === backslash ? skipEscape(codes, at) : at + 1;
  }
  return -1;
};

const skipEscape = (codes: Codes, from: number): number => {
  const letter = codes[from + 1] as number;
  if (letter !== letterU) return simpleEscapes.has(letter) ? from + 2 : -1;
  for (let at = from + 2; at < from + 6; at += 1) if (!isHex(codes[at] as number)) return -1;
  return from + 6;
};

const skipPrimitive = (codes: Codes, from: number): number => {
  if (codes[from] === minus || isDigit(codes[from] as number)) return skipNumber(codes, from);
  const word = words.find(([first]) => first === codes[from]);
  return word?.every((code, index) => codes[from + index] === code) ? from + word.length : -1;
};

const skipNumber = (codes: Codes, from: number): number => {
  const first = codes[from] === minus ? from + 1 : from;
  let at = codes[first] === zero ? first + 1 : skipDigits(codes, first);
  if (codes[at] === dot) at = skipDigits(codes, at + 1);
  if (at < 0 || ((codes[at] as number) | 0x20) !== letterE) return at;
  const isSigned = codes[at + 1] === minus || codes[at + 1] === plus;
  return skipDigits(codes, isSigned ? at + 2 : at + 1);
};

const skipDigits = (codes: Codes, from: number): number => {
  let at = from;
  while (isDigit(codes[at] as number)) at += 1;
  return at === from ? -1 : at;
};

const skipSpace = (codes: Codes, from: number): number => {
  let at = from;
  while (isSpace(codes[at] as number)) at += 1;
  return at;
};

const isSpace = (code: number): boolean => code === 0x20 || code === 0x0a || code === 0x0d || code === 0x09;
const isDigit = (code: number): boolean => code >= 0x30 && code <= 0x39;
const isHex = (code: number): boolean => isDigit(code) || ((code | 0x20) >= 0x61 && (code | 0x20) <= 0x66);

const codesOfWord = (word: string): number[] => [...word].map((letter) => letter.charCodeAt(0));
const words = ['true', 'false', 'null'].map(codesOfWord);
const simpleEscapes = new Set(codesOfWord('"\\/bfnrt'));
const [quote, backslash, comma, colon] = [0x22, 0x5c, 0x2c, 0x3a];
const [openBrace, closeBrace, openBracket, closeBracket] = [0x7b, 0x7d, 0x5b, 0x5d];
const [minus, plus, dot, zero, letterE, letterU] = [0x2d, 0x2b, 0x2e, 0x30, 0x65, 0x75];
