/** The words of the page in the language that it speaks now, and the change to another. */
import { Emitter } from '../../events.ts';
import { recall, remember } from '../storage.ts';
import { formatAs } from './format.ts';
import { isRightToLeft, type Language, languageFor, localeFor } from './languages.ts';
import { en } from './locales/en.ts';

export type Words = typeof en;

/** Those that are fetched when they are chosen; English comes with the page. */
const fetched: Record<Exclude<Language, 'en'>, () => Promise<Words>> = {
  ja: async () => (await import('./locales/ja.ts')).ja,
  'zh-Hans': async () => (await import('./locales/zh-hans.ts')).zhHans,
  es: async () => (await import('./locales/es.ts')).es,
  ar: async () => (await import('./locales/ar.ts')).ar,
};

/** Puts the messages of `source` into `target`, whose groups stay the same objects: modules hold them. */
const fill = <Target extends object>(target: Target, source: object): Target => {
  const held = target as Record<string, unknown>;
  for (const [key, value] of Object.entries(source))
    held[key] = typeof value === 'object' ? fill((held[key] as object | undefined) ?? {}, value) : value;
  return target;
};

export const words: Words = fill({} as Words, en);

const emitter = new Emitter<{ changed: undefined }>();
let spoken: Language = 'en';

/** What the page speaks. */
export const speech = {
  get language(): Language {
    return spoken;
  },
  onChange: (listener: () => void): (() => void) => emitter.on('changed', listener),
};

export const wordsOf = async (language: Language): Promise<Words> => (language === 'en' ? en : fetched[language]());

/** Speaks `language` from now on; where its words cannot be fetched, the page goes on as it was. */
export const setLanguage = async (language: Language): Promise<void> => {
  const source = await wordsOf(language).catch(() => undefined);
  if (source) {
    fill(words, source);
    spoken = language;
  }
  formatAs(localeFor(spoken, navigator.languages));
  document.documentElement.lang = spoken;
  document.documentElement.dir = isRightToLeft(spoken) ? 'rtl' : 'ltr';
  emitter.emit('changed', undefined);
};

/** Speaks what was chosen here before, or what the browser's languages ask for. */
export const setPreferredLanguage = (): Promise<void> =>
  setLanguage(languageFor(recall('language'), navigator.languages));

export const choose = (language: Language): Promise<void> => {
  remember('language', language);
  return setLanguage(language);
};
