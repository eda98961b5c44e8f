/** Starts the page. */
import { render } from 'preact';
import { App } from './app.tsx';
import { setPreferredLanguage } from './i18n/i18n.ts';

// A page that comes back from the browser's memory has left its room on the way there.
window.addEventListener('pageshow', ({ persisted }) => persisted && location.reload());

const place = document.getElementById('app');
if (place) {
  void setPreferredLanguage().then(() => {
    place.textContent = '';
    render(<App />, place);
  });
}
