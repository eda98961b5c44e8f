/** The form that a language has for so many things. */
import { number } from '../format.ts';

/**
 * Forms by the categories of Unicode, https://cldr.unicode.org/index/cldr-spec/plural-rules; `Category` are those that the
 * language has. `#` stands for the number.
 */
export const plurals = <Category extends Intl.LDMLPluralRule>(language: string) => {
  const rules = new Intl.PluralRules(language);
  return (count: number, forms: Record<Category, string>): string =>
    forms[rules.select(count) as Category].replace('#', number(count));
};
