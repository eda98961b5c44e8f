/** The message files: complete, translated, with the same parameters and the plural forms of the language. */
import { describe, expect, it } from 'vitest';
import { wordsOf } from '../../app/client/page/i18n/i18n.ts';
import {
  isRightToLeft,
  type Language,
  languageFor,
  languages,
  localeFor,
} from '../../app/client/page/i18n/languages.ts';
import type { Words } from '../../app/client/page/i18n/locales/en.ts';

type Message = string | ((...parameters: unknown[]) => string);
type Leaf = [path: string, message: Message];

const leavesOf = (group: object, path = ''): Leaf[] =>
  Object.entries(group).flatMap(([key, value]) =>
    typeof value === 'object'
      ? leavesOf(value, `${path}${key}.`)
      : [[`${path}${key}`, value as Message] satisfies Leaf],
  );

const parameters = ['⟦1⟧', '⟦2⟧'];
const textOf = (message: Message): string => (typeof message === 'string' ? message : message(...parameters));
/** A message with a number cannot do anything with a text. */
const counts = (message: Message): boolean => typeof message === 'function' && textOf(message).includes('NaN');

const all = Object.keys(languages) as Language[];
const wordsIn = Object.fromEntries(
  await Promise.all(all.map(async (language) => [language, await wordsOf(language)] as const)),
) as Record<Language, Words>;
const english = new Map(leavesOf(wordsIn.en));

/** Names that are the same in every language. */
const names =
  /Genkan|QR|Chrome|Edge|Firefox|Safari|JavaScript|WebSocket|HTTP|STUN|TURN|UDP|TCP|VPN|https:\/\/|garden|Web|NaN/g;
const own: Partial<Record<Language, RegExp>> = {
  ja: /[\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Han}]/u,
  'zh-Hans': /^[^\p{Script=Hiragana}\p{Script=Katakana}]*\p{Script=Han}/u,
  ar: /\p{Script=Arabic}/u,
};

describe.each(all)('the messages in %s', (language) => {
  const leaves = leavesOf(wordsIn[language]);

  it('have the same keys as the English ones, and none is empty', () => {
    expect(leaves.map(([path]) => path)).toEqual([...english.keys()]);
    expect(leaves.filter(([, message]) => textOf(message).trim() === '')).toEqual([]);
  });

  it('use all their parameters', () => {
    const used = (message: Message | undefined) =>
      parameters.filter((each) => message && textOf(message).includes(each));
    for (const [path, message] of leaves) expect(used(message), path).toEqual(used(english.get(path)));
  });

  it('include the visible label in a button’s accessible name (WCAG 2.2, 2.5.3)', () => {
    const { people } = wordsIn[language];
    expect(people.admitNamed('Ben')).toContain(people.admit);
    expect(people.denyNamed('Ben')).toContain(people.deny);
  });

  it('have a plural form for every number', () => {
    const { pluralCategories } = new Intl.PluralRules(language).resolvedOptions();
    const samples = [0, 1, 2, 3, 7, 11, 21, 100, 103, 1_000_000];
    const sampled = new Set(samples.map((count) => new Intl.PluralRules(language).select(count)));
    expect([...sampled].toSorted()).toEqual(pluralCategories.toSorted());
    const counted = leaves.filter(([path]) => counts(english.get(path) as Message));
    expect(counted.length).toBeGreaterThan(3);
    for (const [path, message] of counted) {
      const texts = samples.map((count) => (typeof message === 'string' ? message : message(count)));
      for (const text of texts) expect(text, path).not.toMatch(/NaN|undefined|#/);
      expect(new Set(texts).size, `${path}: ${texts}`).toBe(samples.length);
    }
  });

  it('end with the same punctuation as in English', () => {
    const end = (message: Message) =>
      /[.。]$/.test(textOf(message))
        ? '.'
        : /[?？؟]$/.test(textOf(message))
          ? '?'
          : /…$/.test(textOf(message))
            ? '…'
            : '';
    for (const [path, message] of leaves) expect(end(message), path).toBe(end(english.get(path) as Message));
  });
});

describe.each(all.filter((language) => language !== 'en'))('the messages in %s', (language) => {
  it('have no English left', () => {
    const script = own[language];
    const leaves = leavesOf(wordsIn[language]);
    for (const [path, message] of leaves) {
      const text = textOf(message).replaceAll(names, '');
      if (!/\p{L}/u.test(text)) continue;
      if (text !== 'Chat') expect(text, path).not.toBe(textOf(english.get(path) as Message).replaceAll(names, ''));
      if (!script) continue;
      expect(text, path).toMatch(script);
      expect(text, path).not.toMatch(/\p{Script=Latin}/u);
    }
  });
});

describe('the language', () => {
  it.each<[Language, string, string[]]>([
    ['ja', '', ['ja-JP', 'en']],
    ['en', '', ['tlh', 'en-GB', 'ja']],
    ['en', '', ['tlh']],
    ['en', '', []],
    ['ja', 'ja', ['en']],
    ['zh-Hans', '', ['zh-CN', 'zh', 'en']],
    ['ar', '', ['ar-EG', 'en']],
    ['es', '', ['ca', 'es-419']],
    ['en', 'tlh', ['en']],
  ])('is %s if %j was chosen before and the browser prefers %j', (language, remembered, preferred) => {
    expect(languageFor(remembered, preferred)).toBe(language);
  });

  it('uses the regional format of the browser', () => {
    expect(localeFor('en', ['ja', 'en-IN', 'en'])).toBe('en-IN');
    expect(localeFor('ja', ['en'])).toBe('ja');
  });

  it('is written from right to left where the script is', () => {
    const directions = all.map((language) => {
      const locale: Intl.Locale & { getTextInfo?(): { direction: string } } = new Intl.Locale(language);
      return [language, locale.getTextInfo?.().direction === 'rtl'];
    });
    expect(all.map((language) => [language, isRightToLeft(language)])).toEqual(directions);
  });
});
