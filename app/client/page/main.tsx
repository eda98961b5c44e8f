/** Starts the page. */
import { render } from 'preact';
import { App } from './app.tsx';
import { setPreferredLanguage } from './i18n/i18n.ts';

// A page restored from the back/forward cache has left its room, on pagehide.
window.addEventListener('pageshow', ({ persisted }) => persisted && location.reload());

const root = document.getElementById('app');
if (root) {
  void setPreferredLanguage().then(() => {
    root.textContent = '';
    render(<App />, root);
  });
}
