/** `genkan explain`: what a setting does here, what it does in uWSGI, and how the two differ. */
import { meaningOf } from './resolve-name.ts';
import type { Result } from './result.ts';
import { groups, schema } from './schema.ts';
import { environmentName, metadataOf, showDefault } from './setting-metadata.ts';
import { columns } from './text-columns.ts';
import { type UwsgiAnswer, uwsgiFamilies, uwsgiOptions } from './uwsgi-compat/options.ts';
import { valueTypeOf } from './value-types.ts';

/** @param option with or without its dashes */
export const explain = (option: string): Result<{ text: string }> => {
  const word = option.replace(/^--?/, '');
  const meaning = meaningOf(schema, word, word.length === 1);
  switch (meaning.kind) {
    case 'setting': {
      const { name, renamed } = meaning;
      return { text: [...(renamed ? aboutRenamed(word, renamed) : []), ...aboutSetting(name)].join('\n') };
    }
    case 'answer':
      return {
        text: [word, ...line('uWSGI', meaning.answer.uwsgi), ...line('Genkan', sentence(meaning.answer))].join('\n'),
      };
    case 'unknown': {
      const hint = meaning.nearest === undefined ? '' : `; did you mean ${meaning.nearest}?`;
      return { faults: [`${option}: not a setting, and not a known option of uWSGI${hint}`] };
    }
  }
};

/** All settings by group, then the options of uWSGI that are recognised. */
export const explainAll = (): string =>
  [
    ...Object.entries(groups).flatMap(([title, settings]) => [
      `${title}:`,
      ...Object.entries(settings).flatMap(([name, setting]) => columns(name, metadataOf(setting).help, 28)),
      '',
    ]),
    'Options of uWSGI that are not settings of Genkan:',
    ...Object.entries(uwsgiOptions).flatMap(([name, answer]) => columns(name, sentence(answer), 28)),
    ...uwsgiFamilies.flatMap(({ like, answer }) => columns(like, sentence(answer), 28)),
  ].join('\n');

const line = (label: string, text: string | undefined): string[] =>
  text === undefined ? [] : columns(`${label}:`, text, 14);

const aboutSetting = (name: string): string[] => {
  const setting = Object.entries(schema.shape).find(([other]) => other === name)?.[1];
  if (!setting) return [];
  const { help, uwsgi, differs, also = [] } = metadataOf(setting);
  const aliases = also.map((other) => (other.length === 1 ? `-${other}` : other)).join(', ');
  return [
    `${name} ${valueTypeOf(setting).shown}`,
    ...line('Meaning', help),
    ...line('uWSGI', uwsgi),
    ...line('Different', differs),
    ...line('Set by', `--${name}, ${environmentName(name)}, ${name}: in YAML; ${showDefault(setting) ?? 'not set'}`),
    ...line('Also', aliases || undefined),
  ];
};

const aboutRenamed = (word: string, answer: Extract<UwsgiAnswer, { verdict: 'renamed' }>): string[] => [
  word,
  ...line('uWSGI', answer.uwsgi),
  ...line('Genkan', sentence(answer)),
  '',
];

const sentence = (answer: UwsgiAnswer): string => {
  if (answer.verdict === 'renamed') return `is called ${answer.to}${answer.here ? `, ${answer.here}` : ''}`;
  switch (answer.verdict) {
    case 'always':
      return `accepted; always on: ${answer.here}`;
    case 'inapplicable':
      return `accepted with a warning; has no effect: ${answer.here}`;
    case 'refused':
      return `refused: ${answer.here}`;
  }
};
