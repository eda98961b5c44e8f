/** Settings from the environment: `GENKAN_…` for all of them, `UWSGI_…` for those that uWSGI knows as well. */
import type { z } from 'zod';
import type { Environment } from '../expand.ts';
import { emptyRawSettings, type RawSettings, rejectDuplicates, take } from '../raw-settings.ts';
import { type Meaning, meaningOf } from '../resolve-name.ts';
import { environmentName, metadataOf } from '../setting-metadata.ts';

/** Names that compose files and the test kit use for themselves. */
const foreign = new Set(['GENKAN_PORT', 'GENKAN_SUBNET']);

/** `GENKAN_` names are ours alone, so one that means nothing is a slip of the pen and said to be one. */
export const readEnvironment = (schema: z.ZodObject, environment: Environment): RawSettings => {
  const reading = emptyRawSettings();
  for (const { source, word, text } of named(environment, 'GENKAN_'))
    if (!foreign.has(source)) takeVariable(reading, meaningOf(schema, word), source, text);
  return rejectDuplicates(reading);
};

/** Images and unit files made for uWSGI set these; what is not ours may be meant for someone else. */
export const readUwsgiEnvironment = (schema: z.ZodObject, environment: Environment): RawSettings => {
  const reading = emptyRawSettings();
  for (const { source, word, text } of named(environment, 'UWSGI_')) {
    const meaning = meaningOf(schema, word);
    if (isShared(schema, meaning)) takeVariable(reading, meaning, source, text);
    else reading.notes.push(`${source}: is not known here, and was left alone`);
  }
  return rejectDuplicates(reading);
};

const isShared = (schema: z.ZodObject, meaning: Meaning): boolean => {
  if (meaning.kind !== 'setting') return meaning.kind === 'answer';
  const setting = schema.shape[meaning.name];
  return meaning.renamed !== undefined || (setting !== undefined && metadataOf(setting).uwsgi !== undefined);
};

/** An empty variable is how compose files say "not set". */
const named = (environment: Environment, prefix: string): { source: string; word: string; text: string }[] =>
  Object.entries(environment).flatMap(([source, text]) =>
    source.startsWith(prefix) && text
      ? [{ source, word: source.slice(prefix.length).toLowerCase().replaceAll('_', '-'), text }]
      : [],
  );

const takeVariable = (reading: RawSettings, meaning: Meaning, source: string, text: string): void => {
  const texts = meaning.kind === 'setting' && meaning.repeatable ? text.split(/\s*,\s*/) : [text];
  take(reading, meaning, { source, parts: texts.map((value) => ({ value, source })) }, environmentName);
};
