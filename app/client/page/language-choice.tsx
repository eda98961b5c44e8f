/** The language of the page, for whoever wants another than the browser says. */
import { Icon } from './icons.tsx';
import { type Language, languages } from './languages.ts';
import { choose, speech, words } from './words.ts';

export const LanguageChoice = () => (
  <label class="language">
    <Icon name="language" />
    <span class="unseen">{words.language}</span>
    <select
      class="language-names"
      value={speech.language}
      onChange={({ currentTarget }) => void choose(currentTarget.value as Language)}
    >
      {Object.entries(languages).map(([tag, name]) => (
        <option key={tag} value={tag} lang={tag}>
          {name}
        </option>
      ))}
    </select>
  </label>
);
