/** Settings from a section of a YAML 1.2 file, each with its line number. */
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
import { messageOf } from '../result.ts';
import { suggest } from '../suggest.ts';

/** The file being read, with its line positions and the resulting reading. */
type Source = {
  schema: z.ZodObject;
  environment: Environment;
  file: string;
  document: Document.Parsed;
  lines: LineCounter;
  reading: RawSettings;
};

const defaultSections = ['genkan', 'uwsgi'];

/**
 * @param where `file` or `file:section`
 * @param read returns the text of a file; its exception becomes a fault
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
    if (checkSyntax(source)) readSection(source, section);
  } catch (error) {
    reading.faults.push(`${file}: cannot be read: ${messageOf(error)}`);
  }
  return rejectDuplicates(reading);
};

const at = ({ file, lines }: Source, offset: number | undefined): string =>
  `${file}:${lines.linePos(offset ?? 0).line}`;
const locationOf = (source: Source, node: unknown): string =>
  at(source, isScalar(node) || isMap(node) || isSeq(node) || isAlias(node) ? node.range?.[0] : 0);

/** Reports syntax errors. @returns whether the file is still readable: a duplicate key leaves the rest intact */
const checkSyntax = (source: Source): boolean => {
  const { errors, warnings } = source.document;
  for (const { code, message, pos } of [...errors, ...warnings]) {
    const fault = code === 'DUPLICATE_KEY' ? 'duplicate key' : message.replace(/ at line .*/s, '');
    source.reading.faults.push(`${at(source, pos[0])}: ${fault}`);
  }
  return errors.every(({ code }) => code === 'DUPLICATE_KEY');
};

const readSection = (source: Source, wanted: string | undefined): void => {
  const { file, reading, document } = source;
  const { contents } = document;
  if (!isMap(contents)) {
    reading.faults.push(`${file}: has no section; settings go below "${wanted ?? 'genkan'}:"`);
    return;
  }
  if (wanted === undefined) rejectUnindented(source, contents);
  const names = contents.items.map(({ key }) => keyOf(key) ?? '');
  const found = names.filter((name) => (wanted === undefined ? defaultSections.includes(name) : name === wanted));
  const [section] = found;
  if (section === undefined) {
    const nearest = suggest(wanted ?? 'genkan', names);
    const hint = nearest ? `; did you mean ${nearest}, which is written ${file}:${nearest}?` : '';
    reading.faults.push(`${file}: has no section "${wanted ?? 'genkan'}:"${hint}`);
  } else if (new Set(found).size > 1)
    reading.faults.push(`${file}: has both "genkan:" and "uwsgi:"; name the one that is meant: ${file}:genkan`);
  else readSettings(source, section, contents.get(section, true));
};

/** Only sections may be at the top level: anything else lacks indentation. */
const rejectUnindented = (source: Source, contents: YAMLMap): void => {
  for (const { key, value } of contents.items)
    if (!isMap(resolved(source, value)) && !defaultSections.includes(keyOf(key) ?? ''))
      source.reading.faults.push(
        `${locationOf(source, key)}: ${keyOf(key) ?? 'this'}: is outside a section; settings go below "genkan:", indented`,
      );
};

const readSettings = (source: Source, section: string, node: unknown): void => {
  const map = resolved(source, node);
  if (isMap(map)) {
    const seen = new Set<string>();
    for (const pair of map.items) {
      const key = keyOf(pair.key);
      // A duplicate key has already been reported as a syntax error.
      if (key === undefined || !seen.has(key)) readPair(source, pair, key);
      if (key !== undefined) seen.add(key);
    }
  } else if (!(isScalar(map) && map.value === null))
    source.reading.faults.push(
      `${locationOf(source, node)}: ${section}: settings go below it, indented, as name: value`,
    );
};

const readPair = (source: Source, { key, value }: Pair, word: string | undefined): void => {
  const { reading } = source;
  const label = `${locationOf(source, key)}: ${word ?? 'this key'}`;
  if (word === undefined) return void reading.faults.push(`${label}: is not a name`);
  const meaning = meaningOf(source.schema, word);
  if (meaning.kind === 'setting' && meaning.name === 'yaml')
    return void reading.faults.push(`${label}: a file cannot include another; pass several with --yaml`);
  const node = resolved(source, value);
  if (isSeq(node) && meaning.kind === 'setting' && !meaning.repeatable)
    return void reading.faults.push(`${label}: takes one value, not a list`);
  const faultsBefore = reading.faults.length;
  const nodes = isSeq(node) ? node.items : [node];
  const parts = nodes.flatMap((item) =>
    readScalar(source, item, isSeq(node) ? `${locationOf(source, item)}: ${word}` : label, meaning),
  );
  if (reading.faults.length > faultsBefore) return;
  // Only an empty variable: not set, as in the environment.
  if (parts.length === 0 && !isSeq(node) && meaning.kind === 'setting') return;
  take(reading, meaning, { source: label, parts }, (name) => name);
};

/** One value; none when a variable expanded to nothing, or after a fault. */
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
  // A mode such as 0660 or a user such as 1000: the text as written counts, not the parsed number.
  if (typeof value === 'number')
    return [{ value: kind === 'text' ? (node.source ?? String(value)) : value, source: label }];
  if (value === null) return meaning.kind === 'unknown' ? [] : fault('a value is missing');
  const { text, had, faults } = expand(String(value), source.environment);
  for (const message of faults) fault(message);
  if (faults.length > 0 || (had && text === '')) return [];
  if (kind !== 'text' && !had)
    return fault(`must be ${kind === 'whole' ? 'a whole number' : 'true or false'}, without quotes; "${text}" is text`);
  return [{ value: text, source: label }];
};

const resolved = ({ document }: Source, node: unknown): Node | undefined => {
  if (isAlias(node)) return node.resolve(document);
  return isScalar(node) || isMap(node) || isSeq(node) ? node : undefined;
};

const keyOf = (key: unknown): string | undefined =>
  isScalar(key) && ['string', 'number'].includes(typeof key.value) ? String(key.value) : undefined;
