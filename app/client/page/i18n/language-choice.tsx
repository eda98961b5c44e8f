/** The language picker. */
import { Icon } from '../ui/icons.tsx';
import { choose, speech, words } from './i18n.ts';
import { type Language, languages } from './languages.ts';

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
