/** The languages of the page, and which of them suits somebody. */

/** By their tags, as they call themselves. */
export const languages = {
  en: 'English',
  ja: '日本語',
  'zh-Hans': '简体中文',
  es: 'Español',
  ar: 'العربية',
} as const;

export type Language = keyof typeof languages;

const all = Object.keys(languages) as Language[];

export const isRightToLeft = (language: string): boolean => language === 'ar';

const base = (tag: string): string => tag.split('-', 1)[0]?.toLowerCase() ?? '';

/** `remembered`: what was chosen once, or ''. `preferred`: the browser's languages, the dearest first. */
export const languageFor = (remembered: string, preferred: readonly string[]): Language => {
  const wanted = [remembered, ...preferred].map(base);
  return wanted.flatMap((tag) => all.filter((language) => base(language) === tag))[0] ?? 'en';
};

/** How `language` is written where this person lives, as far as the browser tells. */
export const localeFor = (language: Language, preferred: readonly string[]): string =>
  preferred.find((tag) => base(tag) === base(language)) ?? language;
