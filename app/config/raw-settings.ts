/** The settings of one source (flags, environment, a file) before validation. */
import type { Meaning } from './resolve-name.ts';
import type { UwsgiVerdict } from './uwsgi-compat/options.ts';

/** One value and its source: `--http`, `GENKAN_HTTP`, `genkan.yaml:7: http`. */
export type Part = { value: string | number | boolean; source: string };
/** A setting with all its values; only lists use more than the last. `fromFile`: the value is the path of a file that contains the
 * secret or, after reading, came from the file at `path`. */
export type RawSetting = { name: string; parts: Part[]; source: string; fromFile: boolean; path?: string };
export type RawSettings = { given: RawSetting[]; faults: string[]; notes: string[] };

export const emptyRawSettings = (): RawSettings => ({ given: [], faults: [], notes: [] });

/**
 * Adds a name with its values to the reading.
 * @param spell how this source writes another name, for hints
 */
export const take = (
  reading: RawSettings,
  meaning: Meaning,
  { source, parts }: { source: string; parts: Part[] },
  spell: (name: string) => string,
): void => {
  switch (meaning.kind) {
    case 'setting':
      return takeSetting(reading, meaning, { source, parts }, spell);
    case 'answer':
      return takeAnswer(reading, meaning.answer, source, parts);
    case 'unknown': {
      const hint = meaning.nearest === undefined ? '' : `; did you mean ${spell(meaning.nearest)}?`;
      reading.faults.push(`${source}: there is no such setting${hint}`);
    }
  }
};

const takeSetting = (
  reading: RawSettings,
  { name, renamed, fromFile }: Extract<Meaning, { kind: 'setting' }>,
  { source, parts }: { source: string; parts: Part[] },
  spell: (name: string) => string,
): void => {
  const times = renamed?.times ?? 1;
  const scaled = times === 1 ? parts : parts.map((part) => ({ ...part, value: scale(part.value, times) }));
  reading.given.push({ name, parts: scaled, source, fromFile });
  if (!renamed) return;
  const values = times === 1 ? '' : ` ${scaled.map(({ value }) => value).join(' ')}`;
  reading.notes.push(`${source}: is called ${spell(name)}${values} here${renamed.here ? `, ${renamed.here}` : ''}`);
};

/** Leaves other text unchanged: validation will reject it. */
const scale = (value: Part['value'], times: number): Part['value'] =>
  /^\d+$/.test(String(value)) ? Number(value) * times : value;

const takeAnswer = (reading: RawSettings, { verdict, here }: UwsgiVerdict, source: string, parts: Part[]): void => {
  const off = parts.some(({ value }) => ['false', 'no', 'off', '0'].includes(String(value).toLowerCase()));
  switch (verdict) {
    case 'always':
      // Worth a note only if it was to be switched off.
      if (off) reading.notes.push(`${source}: cannot be switched off: ${here}`);
      return;
    case 'inapplicable':
      reading.notes.push(`${source}: has no effect: ${here}`);
      return;
    case 'refused':
      reading.faults.push(`${source}: ${here}`);
  }
};

/** Rejects a setting given twice in one source, by two of its names or as value and file: it is ambiguous. */
export const rejectDuplicates = (reading: RawSettings): RawSettings => {
  const first = new Map<string, RawSetting>();
  for (const given of reading.given) {
    const before = first.get(given.name);
    if (before) reading.faults.push(`${given.source}: sets the same as ${before.source}`);
    else first.set(given.name, given);
  }
  return reading;
};
