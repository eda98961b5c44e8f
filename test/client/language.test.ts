/** The change of the language at run time. */
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { choose, speech, words } from '../../app/client/page/i18n/i18n.ts';

beforeEach(() => {
  vi.stubGlobal('document', { documentElement: {} });
});
afterEach(async () => {
  await choose('en');
  vi.unstubAllGlobals();
});

const current = () => [speech.language, document.documentElement.lang, words.cancel];

it('of several choices the last one wins, although the others are loaded later', async () => {
  // English is part of the page, and is there before any other language.
  await Promise.all([choose('ja'), choose('es'), choose('en')]);
  expect(current()).toEqual(['en', 'en', 'Cancel']);
  await Promise.all([choose('es'), choose('en'), choose('es')]);
  expect(current()).toEqual(['es', 'es', 'Cancelar']);
});
