/** The page's messages in the current language, and the change to another. */
import { Emitter } from '../../events.ts';
import { recall, remember } from '../storage.ts';
import { formatAs } from './format.ts';
import { isolate } from './isolate.ts';
import { isRightToLeft, type Language, languageFor, localeFor } from './languages.ts';
import { en, type Words } from './locales/en.ts';

/** Languages loaded on demand; English is part of the page. */
const loaders: Record<Exclude<Language, 'en'>, () => Promise<Words>> = {
  ja: async () => (await import('./locales/ja.ts')).ja,
  'zh-Hans': async () => (await import('./locales/zh-hans.ts')).zhHans,
  es: async () => (await import('./locales/es.ts')).es,
  ar: async () => (await import('./locales/ar.ts')).ar,
};

/** Copies the messages of `source`, in this language, into `target`, in place: modules keep references to its groups. */
const fill = <Target extends object>(target: Target, source: object, language: Language): Target => {
  const record = target as Record<string, unknown>;
  for (const [key, value] of Object.entries(source))
    record[key] =
      typeof value === 'object'
        ? fill((record[key] as object | undefined) ?? {}, value, language)
        : typeof value === 'function'
          ? isolating(value, isRightToLeft(language))
          : value;
  return target;
};

/** A message whose parameters cannot change the direction of the text around them: many are names and texts of other peers. */
const isolating =
  (message: (...parameters: unknown[]) => string, always: boolean) =>
  (...parameters: unknown[]): string =>
    message(...parameters.map((each) => (typeof each === 'string' ? isolate(each, always) : each)));

/** Modules may keep a group of messages, never a single one: the language changes at run time. */
export const words: Words = fill({} as Words, en, 'en');

const emitter = new Emitter<{ changed: undefined }>();
let current: Language = 'en';

/** The current language. */
export const speech = {
  get language(): Language {
    return current;
  },
  onChange: (listener: () => void): (() => void) => emitter.on('changed', listener),
};

const load = async (language: Language): Promise<Words> => (language === 'en' ? en : loaders[language]());

/** The messages of a language as the page shows them. */
export const wordsOf = async (language: Language): Promise<Words> => fill({} as Words, await load(language), language);

/** The last language that was requested. */
let requested: Language = current;

/** Switches to `language`, unless another one is requested meanwhile; the language stays as it was if the messages cannot be loaded. */
const setLanguage = async (language: Language): Promise<void> => {
  requested = language;
  const source = await load(language).catch(() => undefined);
  if (requested !== language) return;
  if (source) {
    fill(words, source, language);
    current = language;
  }
  formatAs(localeFor(current, navigator.languages));
  document.documentElement.lang = current;
  document.documentElement.dir = isRightToLeft(current) ? 'rtl' : 'ltr';
  emitter.emit('changed', undefined);
};

/** Uses the language that was chosen before, or else the browser's. */
export const setPreferredLanguage = (): Promise<void> =>
  setLanguage(languageFor(recall('language'), navigator.languages));

export const choose = (language: Language): Promise<void> => {
  remember('language', language);
  return setLanguage(language);
};
