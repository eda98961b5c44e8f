/** Plural forms. */
import { number } from '../format.ts';

/**
 * Forms by Unicode plural category, https://cldr.unicode.org/index/cldr-spec/plural-rules. `Category`: the categories of the
 * language. `#` stands for the number.
 */
export const plurals = <Category extends Intl.LDMLPluralRule>(language: string) => {
  const rules = new Intl.PluralRules(language);
  return (count: number, forms: Record<Category, string>): string =>
    forms[rules.select(count) as Category].replace('#', number(count));
};
