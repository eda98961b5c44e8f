/** Goes through every view and dialog of the page, as two users and some more see them, in any language. */
import type { Browser, BrowserContextOptions, Page } from 'playwright-core';
import { wordsOf } from '../../app/client/page/i18n/i18n.ts';
import { type Language, languages } from '../../app/client/page/i18n/languages.ts';
import { WebSocketPeer } from '../../app/conform/peers.ts';
import { chooseAccess, open, type Person, untilSeen } from './browser.ts';

export type Place = { browser: Browser; url: string; language: Language } & Pick<BrowserContextOptions, 'viewport'>;

/** Called in every view; the tour waits until it is done. */
export type Visit = (view: string, page: Page) => Promise<void>;

export const everyLanguage = Object.keys(languages) as Language[];

/** Opens a page of a user whose browser is in this language. */
export const openIn = async ({ browser, language, viewport }: Place, url: string): Promise<Person> => {
  const locale = language === 'zh-Hans' ? 'zh-CN' : language;
  const person = await open(browser, url, viewport ?? undefined, { locale });
  // Two calls and the checks are much for a small machine.
  person.page.setDefaultTimeout(60_000);
  return person;
};

export const tour = async (place: Place, visit: Visit): Promise<void> => {
  const room = `tour-${place.language}-${place.viewport?.width ?? 0}`;
  const address = `${place.url}/rooms/${room}`;
  const w = await wordsOf(place.language);
  const [host, guest] = [await openIn(place, place.url), await openIn(place, address)];
  const peers: WebSocketPeer[] = [];
  const press = ({ page }: Person, name: string | RegExp) => page.getByRole('button', { name, exact: true }).click();
  // A part of a label in a right-to-left language is isolated.
  const beginning = (text: string) => new RegExp(`^\\u2068?${text}`);
  const close = () => press(host, w.close);
  const see = (view: string, { page }: Person = host) => visit(view, page);
  const menu = async (item: string) => {
    await press(host, w.call.more);
    await press(host, item);
  };
  const ready = ({ page }: Person) =>
    page.waitForFunction(() => (document.querySelector<HTMLVideoElement>('[data-self] video')?.videoWidth ?? 0) > 0);
  const enter = async (person: Person, name: string) => {
    await ready(person);
    await person.page.getByLabel(w.lobby.name).fill(name);
    await press(person, w.lobby.join);
  };

  await host.page.getByText(w.landing.options).click();
  await press(host, w.landing.go);
  await see('landing');
  await host.page.goto(address);
  await ready(host);
  await see('lobby');
  await press(host, w.lobby.check);
  await host.page.locator('.findings[data-done="true"]').waitFor();
  await see('check');
  await close();

  await enter(host, 'Aiko');
  await host.page.locator('.invitation').waitFor();
  await see('alone');
  await press(host, w.call.more);
  await see('menu');
  await press(host, w.more.invite);
  await see('invite');
  await close();
  await menu(w.more.devices);
  await see('devices');
  await close();
  await menu(w.more.keys);
  await see('keys');
  await close();

  await enter(guest, 'Ben');
  await untilSeen(host, 1);
  await see('call');
  await press(host, w.call.chat);
  await see('chat-empty');
  await press(guest, beginning(w.call.chat));
  await guest.page.getByRole('textbox', { name: w.chat.message }).fill('Good morning! https://example.org/a?b=c');
  await press(guest, w.chat.send);
  await guest.page
    .getByLabel(w.files.attach)
    .setInputFiles({ name: 'a plan.txt', mimeType: 'text/plain', buffer: file });
  await host.page.getByRole('textbox', { name: w.chat.message }).fill('صباح الخير');
  await press(host, w.chat.send);
  await host.page.locator('[data-share="in"]').waitFor();
  await see('chat');
  await press(host, w.files.accept);
  await host.page.getByRole('link', { name: w.files.save }).waitFor();
  await see('file');
  await press(host, w.chat.close);

  await press(host, beginning(w.call.everyone));
  await chooseAccess(host, w.room.knock);
  await press(host, w.people.actions('Ben'));
  await see('people');
  await press(host, w.people.kick);
  await see('remove');
  await close();
  await press(host, w.room.end);
  await see('end');
  await close();
  for (const name of ['Chris', 'Dana']) {
    const peer = new WebSocketPeer(place.url, room);
    peers.push(peer);
    await peer.knock({ name });
  }
  await host.page.locator('.waiting li').nth(1).waitFor();
  await see('knocking');
  await press(host, w.people.close);
  await host.page.locator('[data-prompt="knock"]').waitFor();
  await see('prompt');

  await press(guest, w.chat.close);
  await press(host, beginning(w.call.everyone));
  await press(host, w.people.actions('Ben'));
  await press(host, w.people.mute);
  await guest.page.locator('[data-prompt="mute"]').waitFor();
  await see('asked', guest);
  await press(host, w.people.close);
  await menu(w.more.screen);
  await host.page.locator('[data-prompt="sharing"]').waitFor();
  await see('sharing');
  await guest.page.locator('.tile.main video').waitFor();
  await see('screen', guest);
  await press(host, w.call.leave);
  await see('leave');
  await close();

  const waiting = await openIn(place, address);
  await enter(waiting, 'Eve');
  await waiting.page.locator('[data-waiting]').waitFor();
  await see('waiting', waiting);
  await press(host, beginning(w.call.everyone));
  await host.page.getByLabel(w.room.passcode, { exact: true }).fill('sesame');
  await press(host, w.room.set);
  await host.page.getByText(w.room.passcodeSet).waitFor();
  const outside = await openIn(place, address);
  await enter(outside, 'Fay');
  await outside.page.locator('#passcode').waitFor();
  await press(outside, w.passcode.enter);
  await outside.page.getByText(w.passcode.missing).waitFor();
  await see('passcode', outside);
  await press(guest, w.call.leave);
  await guest.page.locator('[data-ending="left"]').waitFor();
  await see('closing', guest);

  for (const peer of peers) peer.dispose();
};

const file = Buffer.from('first the roof, then the door');
