/** The languages of the page, and how one is selected. */

/** Native names, by language tag. */
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

/** `remembered`: the earlier choice, or ''. `preferred`: the browser's languages, the most preferred first. */
export const languageFor = (remembered: string, preferred: readonly string[]): Language => {
  const candidates = [remembered, ...preferred].map(base);
  return candidates.flatMap((tag) => all.filter((language) => base(language) === tag))[0] ?? 'en';
};

/** The user's regional variant of `language`, from the browser's languages. */
export const localeFor = (language: Language, preferred: readonly string[]): string =>
  preferred.find((tag) => base(tag) === base(language)) ?? language;
