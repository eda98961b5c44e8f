/** Locale-aware numbers, sizes, times and lists. */
import { isolate } from './isolate.ts';

/** Locale of the formats below; undefined = the browser's. */
let locale: string | undefined;
/** Kept, because each line of the chat needs it and it is slow to create. */
let clockFormat: Intl.DateTimeFormat | undefined;

export const formatAs = (next: string): void => {
  locale = next;
  clockFormat = undefined;
};

export const number = (value: number): string => new Intl.NumberFormat(locale).format(value);

/** `share`: 1 = 100 %; `digits`: fraction digits. */
export const percent = (share: number, digits = 0): string =>
  new Intl.NumberFormat(locale, {
    style: 'percent',
    minimumFractionDigits: digits,
    maximumFractionDigits: digits,
  }).format(share);

/** A file size in decimal units, with at most one fraction digit. */
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

/** `rate`: bits per second. */
export const bitrate = (rate: number): string => withUnit(rate / 1000, 'kilobit-per-second', 0);

/** Hour and minute of `at`, in milliseconds since 1970. */
export const clock = (at: number): string => {
  clockFormat ??= new Intl.DateTimeFormat(locale, { hour: '2-digit', minute: '2-digit' });
  return clockFormat.format(at);
};

/** A list without a conjunction. */
export const list = (parts: string[]): string =>
  new Intl.ListFormat(locale, { type: 'unit', style: 'short' }).format(parts.map((part) => isolate(part)));

const withUnit = (value: number, unit: string, maximumFractionDigits: number): string => {
  // The short form in English is “29 byte”.
  const unitDisplay = unit === 'byte' ? 'long' : 'short';
  return new Intl.NumberFormat(locale, { style: 'unit', unit, unitDisplay, maximumFractionDigits }).format(value);
};
