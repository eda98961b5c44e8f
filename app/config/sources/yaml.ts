/** Settings from a section of a YAML 1.2 file, each with the line it stands on. */
import {
  type Document,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  type Pair,
  parseDocument,
  type YAMLMap,
} from 'yaml';
import type { z } from 'zod';
import { type Environment, expand } from '../expand.ts';
import { emptyRawSettings, type Part, type RawSettings, rejectDuplicates, take } from '../raw-settings.ts';
import { type Meaning, meaningOf } from '../resolve-name.ts';
import { suggest } from '../suggest.ts';

/** The file being read: where its lines begin, and what is found in it. */
type Source = {
  schema: z.ZodObject;
  environment: Environment;
  file: string;
  document: Document.Parsed;
  lines: LineCounter;
  reading: RawSettings;
};

const usualSections = ['genkan', 'uwsgi'];

/**
 * @param where `file` or `file:section`
 * @param read the text of a file; what it throws becomes a fault
 */
export const readYaml = (
  schema: z.ZodObject,
  where: string,
  environment: Environment,
  read: (path: string) => string,
): RawSettings => {
  const [, file = where, section] = /^(.+):([\w-]+)$/.exec(where) ?? [];
  const reading = emptyRawSettings();
  try {
    const lines = new LineCounter();
    const options = { version: '1.2', schema: 'core', prettyErrors: false, lineCounter: lines } as const;
    const document = parseDocument(read(file), options);
    const source = { schema, environment, file, document, lines, reading };
    if (refuseSyntax(source)) readSection(source, section);
  } catch (error) {
    reading.faults.push(`${file}: cannot be read: ${error instanceof Error ? error.message : String(error)}`);
  }
  return rejectDuplicates(reading);
};

const at = ({ file, lines }: Source, offset: number | undefined): string =>
  `${file}:${lines.linePos(offset ?? 0).line}`;
const placed = (source: Source, node: unknown): string =>
  at(source, isScalar(node) || isMap(node) || isSeq(node) || isAlias(node) ? node.range?.[0] : 0);

/** Whether the file can be read on: two of the same key leave the rest in order. */
const refuseSyntax = (source: Source): boolean => {
  const { errors, warnings } = source.document;
  for (const { code, message, pos } of [...errors, ...warnings]) {
    const said = code === 'DUPLICATE_KEY' ? 'a key that stands here already' : message.replace(/ at line .*/s, '');
    source.reading.faults.push(`${at(source, pos[0])}: ${said}`);
  }
  return errors.every(({ code }) => code === 'DUPLICATE_KEY');
};

const readSection = (source: Source, wanted: string | undefined): void => {
  const { file, reading, document } = source;
  const { contents } = document;
  if (!isMap(contents)) {
    reading.faults.push(`${file}: has no section; settings stand below "${wanted ?? 'genkan'}:"`);
    return;
  }
  if (wanted === undefined) refuseStray(source, contents);
  const names = contents.items.map(({ key }) => keyOf(key) ?? '');
  const found = names.filter((name) => (wanted === undefined ? usualSections.includes(name) : name === wanted));
  const [section] = found;
  if (section === undefined) {
    const near = suggest(wanted ?? 'genkan', names);
    const hint = near ? `; did you mean ${near}, which is written ${file}:${near}?` : '';
    reading.faults.push(`${file}: has no section "${wanted ?? 'genkan'}:"${hint}`);
  } else if (new Set(found).size > 1)
    reading.faults.push(`${file}: has both "genkan:" and "uwsgi:"; name the one that is meant: ${file}:genkan`);
  else readSettings(source, section, contents.get(section, true));
};

/** Beside the section only other sections may stand: anything else was put a step too far to the left. */
const refuseStray = (source: Source, contents: YAMLMap): void => {
  for (const { key, value } of contents.items)
    if (!isMap(resolved(source, value)) && !usualSections.includes(keyOf(key) ?? ''))
      source.reading.faults.push(
        `${placed(source, key)}: ${keyOf(key) ?? 'this'}: stands outside a section; settings stand below "genkan:", indented`,
      );
};

const readSettings = (source: Source, section: string, node: unknown): void => {
  const map = resolved(source, node);
  if (isMap(map)) {
    const seen = new Set<string>();
    for (const pair of map.items) {
      const key = keyOf(pair.key);
      // The second of two such keys was a fault of the syntax.
      if (key === undefined || !seen.has(key)) readPair(source, pair, key);
      if (key !== undefined) seen.add(key);
    }
  } else if (!(isScalar(map) && map.value === null))
    source.reading.faults.push(
      `${placed(source, node)}: ${section}: settings stand below it, indented, as name: value`,
    );
};

const readPair = (source: Source, { key, value }: Pair, word: string | undefined): void => {
  const { reading } = source;
  const label = `${placed(source, key)}: ${word ?? 'this key'}`;
  if (word === undefined) return void reading.faults.push(`${label}: is not a name`);
  const meaning = meaningOf(source.schema, word);
  if (meaning.kind === 'setting' && meaning.name === 'yaml')
    return void reading.faults.push(`${label}: a file cannot name another; give several with --yaml`);
  const node = resolved(source, value);
  if (isSeq(node) && meaning.kind === 'setting' && !meaning.repeatable)
    return void reading.faults.push(`${label}: takes one value, not a list`);
  const before = reading.faults.length;
  const nodes = isSeq(node) ? node.items : [node];
  const parts = nodes.flatMap((item) =>
    readScalar(source, item, isSeq(node) ? `${placed(source, item)}: ${word}` : label, meaning),
  );
  if (reading.faults.length > before) return;
  // Nothing but an empty variable: not set, as in the environment.
  if (parts.length === 0 && !isSeq(node) && meaning.kind === 'setting') return;
  take(reading, meaning, { source: label, parts }, (name) => name);
};

/** One value, or none where a variable left it empty or it was a fault. */
const readScalar = (source: Source, item: unknown, label: string, meaning: Meaning): Part[] => {
  const node = resolved(source, item);
  const fault = (text: string): Part[] => {
    source.reading.faults.push(`${label}: ${text}`);
    return [];
  };
  if (!isScalar(node)) return meaning.kind === 'unknown' ? [] : fault('takes a value, not keys or lists of its own');
  const { value } = node;
  const kind = meaning.kind === 'setting' ? meaning.form.kind : 'text';
  if (typeof value === 'boolean') return [{ value, source: label }];
  // 660 as a mode, 1000 as a user: what was written counts, not the number it makes.
  if (typeof value === 'number')
    return [{ value: kind === 'text' ? (node.source ?? String(value)) : value, source: label }];
  if (value === null) return meaning.kind === 'unknown' ? [] : fault('a value is missing');
  const { text, had, faults } = expand(String(value), source.environment);
  for (const said of faults) fault(said);
  if (faults.length > 0 || (had && text === '')) return [];
  if (kind !== 'text' && !had)
    return fault(`write ${kind === 'whole' ? 'a whole number' : 'true or false'}, without quotes; "${text}" is text`);
  return [{ value: text, source: label }];
};

const resolved = ({ document }: Source, node: unknown): Node | undefined => {
  if (isAlias(node)) return node.resolve(document);
  return isScalar(node) || isMap(node) || isSeq(node) ? node : undefined;
};

const keyOf = (key: unknown): string | undefined =>
  isScalar(key) && ['string', 'number'].includes(typeof key.value) ? String(key.value) : undefined;
