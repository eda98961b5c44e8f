/** Settings from the environment: `GENKAN_…` for all settings, `UWSGI_…` for those that uWSGI has as well. */
import type { z } from 'zod';
import type { Environment } from '../expand.ts';
import { emptyRawSettings, type RawSettings, rejectDuplicates, take } from '../raw-settings.ts';
import { type Meaning, meaningOf } from '../resolve-name.ts';
import { environmentName, metadataOf } from '../setting-metadata.ts';

/** Variables of compose files and the test kit that are not settings. */
const reserved = new Set(['GENKAN_PORT', 'GENKAN_SUBNET']);

/** Only Genkan uses the prefix `GENKAN_`, so an unknown name is a typo and reported as a fault. */
export const readEnvironment = (schema: z.ZodObject, environment: Environment): RawSettings => {
  const reading = emptyRawSettings();
  for (const { source, word, text } of withPrefix(environment, 'GENKAN_'))
    if (!reserved.has(source)) takeVariable(reading, meaningOf(schema, word), source, text);
  return rejectDuplicates(reading);
};

/** Images and unit files made for uWSGI set these; an unknown name may be meant for other software, so it is only a note. */
export const readUwsgiEnvironment = (schema: z.ZodObject, environment: Environment): RawSettings => {
  const reading = emptyRawSettings();
  for (const { source, word, text } of withPrefix(environment, 'UWSGI_')) {
    const meaning = meaningOf(schema, word);
    if (isShared(schema, meaning)) takeVariable(reading, meaning, source, text);
    else reading.notes.push(`${source}: unknown option, ignored`);
  }
  return rejectDuplicates(reading);
};

const isShared = (schema: z.ZodObject, meaning: Meaning): boolean => {
  if (meaning.kind !== 'setting') return meaning.kind === 'answer';
  const setting = schema.shape[meaning.name];
  return meaning.renamed !== undefined || (setting !== undefined && metadataOf(setting).uwsgi !== undefined);
};

/** Empty variables are ignored: compose files set them for "not set". */
const withPrefix = (environment: Environment, prefix: string): { source: string; word: string; text: string }[] =>
  Object.entries(environment).flatMap(([source, text]) =>
    source.startsWith(prefix) && text
      ? [{ source, word: source.slice(prefix.length).toLowerCase().replaceAll('_', '-'), text }]
      : [],
  );

const takeVariable = (reading: RawSettings, meaning: Meaning, source: string, text: string): void => {
  const texts = meaning.kind === 'setting' && meaning.repeatable ? text.split(/\s*,\s*/) : [text];
  take(reading, meaning, { source, parts: texts.map((value) => ({ value, source })) }, environmentName);
};
