/** Numbers, sizes, times and lists as people of a place write them. */

/** Of the formats below; undefined = the browser's. */
let locale: string | undefined;

export const formatAs = (next: string): void => {
  locale = next;
};

export const number = (value: number): string => new Intl.NumberFormat(locale).format(value);

/** `share`: 1 = all; `digits`: after the point. */
export const percent = (share: number, digits = 0): string =>
  new Intl.NumberFormat(locale, {
    style: 'percent',
    minimumFractionDigits: digits,
    maximumFractionDigits: digits,
  }).format(share);

/** Of a file, in the units that people know, with one digit after the point where that says something. */
export const sizeOf = (bytes: number): string => {
  const [unit, size] = (
    [
      ['gigabyte', 1e9],
      ['megabyte', 1e6],
      ['kilobyte', 1e3],
    ] as const
  ).find(([, each]) => bytes >= each) ?? ['byte', 1];
  return withUnit(bytes / size, unit, 1);
};

export const milliseconds = (value: number): string => withUnit(value, 'millisecond', 0);

/** `rate`: bits in a second. */
export const bitrate = (rate: number): string => withUnit(rate / 1000, 'kilobit-per-second', 0);

/** Hour and minute of a moment in milliseconds since 1970. */
export const clock = (at: number): string =>
  new Intl.DateTimeFormat(locale, { hour: '2-digit', minute: '2-digit' }).format(at);

/** Things side by side, none of them the last. */
export const list = (parts: string[]): string =>
  new Intl.ListFormat(locale, { type: 'unit', style: 'short' }).format(parts);

const withUnit = (value: number, unit: string, maximumFractionDigits: number): string => {
  // Shortened, English says “29 byte”.
  const unitDisplay = unit === 'byte' ? 'long' : 'short';
  return new Intl.NumberFormat(locale, { style: 'unit', unit, unitDisplay, maximumFractionDigits }).format(value);
};
