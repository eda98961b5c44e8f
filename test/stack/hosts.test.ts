/** Decisions of hosts and their effect on others, as users of one or two kinds of real browsers see them, through nginx. */
import type { Browser } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { WebSocketPeer } from '../../app/conform/peers.ts';
import { without } from '../setup/without.ts';
import { chooseAccess, join, launch, launchFirefox, open, type Person, picture, say, untilSeen } from './browser.ts';
import { type Fronted, startFronted } from './fronted.ts';

const pairs = [
  { name: 'Chromium for all', hosts: launch, guests: launch, lacks: without('nginx', 'chromium'), tags: [] },
  {
    name: 'Firefox for guests',
    ...{ hosts: launch, guests: launchFirefox, lacks: without('nginx', 'chromium', 'firefox-esr'), tags: ['slow'] },
  },
  {
    name: 'Firefox for the host',
    ...{ hosts: launchFirefox, guests: launch, lacks: without('nginx', 'chromium', 'firefox-esr'), tags: ['slow'] },
  },
];

for (const { name, hosts, guests, lacks, tags } of pairs)
  describe.skipIf(lacks)(`a host and guests, ${name}`, { tags }, () => {
    let browsers: Browser[];
    let site: Fronted;
    const people: Person[] = [];
    afterEach(async () => {
      await Promise.all(people.splice(0).map(({ context }) => context.close()));
    });
    beforeAll(async () => {
      [site, ...browsers] = await Promise.all([startFronted(), hosts(), guests()]);
    });
    afterAll(async () => {
      await Promise.all([site?.stop(), ...(browsers ?? []).map((browser) => browser.close())]);
    });

    const browserOf = (who: string) => {
      const browser = browsers[who === 'Aiko' ? 0 : 1];
      if (!browser) throw new Error('no browser');
      return browser;
    };
    const arrive = async (room: string, who: string, viewport?: { width: number; height: number }) => {
      const person = await open(browserOf(who), `${site.url}/rooms/${room}`, viewport);
      people.push(person);
      return person;
    };
    const enter = async (room: string, name: string) => {
      const person = await arrive(room, name);
      await join(person, name);
      await inside(person);
      return person;
    };
    /** Joins, and waits in the lobby. */
    const knock = async (room: string, name: string, viewport?: { width: number; height: number }) => {
      const person = await arrive(room, name, viewport);
      await person.page.getByLabel('Your name').fill(name);
      await person.page.getByRole('button', { name: 'Join', exact: true }).click();
      return person;
    };
    const inside = ({ page }: Person) => page.getByRole('list', { name: 'People in the call' }).waitFor();
    const press = ({ page }: Person, name: string | RegExp) => page.getByRole('button', { name, exact: true }).click();
    const reads = ({ page }: Person, text: string | RegExp) => page.getByText(text).first().waitFor();
    const ended = ({ page }: Person, code: string) => page.locator(`[data-ending="${code}"]`).waitFor();
    const choose = async (host: Person, access: string) => {
      if (!(await host.page.getByRole('radio', { name: access }).isVisible())) await press(host, /^People/);
      await chooseAccess(host, access);
    };
    const quiet = (...those: Person[]) => expect(those.flatMap(({ complaints }) => complaints)).toEqual([]);
    const phone = { width: 360, height: 740 };

    test('one peer in the lobby is admitted; another is denied', async () => {
      const host = await enter('knock', 'Aiko');
      await picture(host, 'alone');
      await choose(host, 'Only people a host admits');
      await reads(host, 'New guests must now be admitted.');
      await picture(host, 'people-alone');
      await press(host, 'Close people panel');
      const guest = await knock('knock', 'Ben', phone);
      await reads(guest, 'A host is here and knows you’re waiting.');
      await reads(host, 'Ben wants to join');
      await host.page.getByRole('button', { name: 'People, 1 waiting' }).waitFor();
      await picture(guest, 'waiting-phone');
      await picture(host, 'knocked');
      await press(host, 'Let in');
      await inside(guest);
      await reads(guest, 'You were let in');
      await Promise.all([untilSeen(host, 1), untilSeen(guest, 1)]);
      await picture(guest, 'guest-phone');

      const [other, third] = [await knock('knock', 'Chris'), await knock('knock', 'Dana')];
      await reads(host, '2 people want to join');
      await press(host, 'Show');
      await picture(host, 'two-waiting');
      await press(host, 'Decline Chris');
      await ended(other, 'denied');
      await picture(other, 'denied');
      await press(host, /^People, 1 waiting/);
      await press(host, 'Leave');
      await host.page.getByRole('dialog').getByRole('button', { name: 'Leave' }).click();
      await ended(host, 'left');
      // The remaining guest becomes host, and sees a message.
      await reads(guest, 'You’re now a host');
      await press(guest, 'Let in');
      await inside(third);
      quiet(host, guest, other, third);
    });

    test('a peer in the lobby of a room whose host is away sees that, and may stop waiting', async () => {
      const host = new WebSocketPeer(site.url, 'absent');
      await host.join();
      await host.send({ type: 'lock', access: 'knock' });
      await host.inbox.take('ack');
      const guest = await knock('absent', 'Ben');
      await reads(guest, 'A host is here');
      await host.cut();
      await reads(guest, 'No host is here yet.');
      await press(guest, 'Stop waiting');
      await ended(guest, 'left');
      quiet(guest);
      host.dispose();
    });

    test('the passcode is requested until it is right', async () => {
      const host = await enter('passcode', 'Aiko');
      await press(host, /^People/);
      await host.page.getByLabel('Passcode').fill('sesame');
      await press(host, 'Set');
      await reads(host, 'Passcode set');
      const guest = await knock('passcode', 'Ben', phone);
      await reads(guest, 'This room has a passcode');
      await press(guest, 'Join');
      await reads(guest, 'Enter the passcode.');
      await guest.page.getByLabel('Passcode').fill('open');
      await guest.page.keyboard.press('Enter');
      await reads(guest, 'Wrong passcode.');
      await picture(guest, 'passcode-phone');
      await guest.page.getByLabel('Passcode').fill('sesame');
      await guest.page.keyboard.press('Enter');
      await inside(guest);
      await untilSeen(guest, 1);
      await press(host, 'Remove passcode');
      await reads(host, 'Passcode removed');
      quiet(host, guest);
    });

    test('a locked room, a mute request, a second host, a removal with a ban, and the end for everyone', async () => {
      const host = await enter('rules', 'Aiko');
      const guest = await enter('rules', 'Ben');
      const other = await enter('rules', 'Chris');
      await Promise.all([untilSeen(host, 2), untilSeen(guest, 2)]);
      await choose(host, 'Locked: no one else can join');
      await guest.page.getByText('Locked', { exact: true }).waitFor();
      const late = await knock('rules', 'Dana');
      await ended(late, 'room-locked');
      await picture(late, 'room-locked');

      await press(host, 'Options for Ben');
      await press(host, 'Ask to mute');
      await reads(guest, 'Aiko is asking you to mute your microphone.');
      await picture(guest, 'mute-request');
      await guest.page.locator('[data-prompt="mute"]').getByRole('button', { name: 'Mute' }).click();
      const muted = guest.page.getByRole('button', { name: 'Microphone', pressed: false });
      await muted.waitFor();
      await host.page.locator('[data-person="Ben"]').getByText('Microphone off').waitFor({ state: 'attached' });
      await press(host, 'Make host');
      await reads(guest, 'You’re now a host');
      await press(host, 'Options for Chris');
      await picture(host, 'people');
      await host.page.locator('[data-person="Chris"]').getByRole('button', { name: 'Remove…' }).click();
      await host.page.getByLabel('Block from rejoining').check();
      await picture(host, 'remove');
      await press(host, 'Remove');
      await ended(other, 'kicked');
      await reads(guest, 'Chris was removed by a host');
      await press(guest, /^People/);
      await press(guest, 'End the call for everyone…');
      await press(guest, 'End for everyone');
      await Promise.all([ended(host, 'room-ended'), ended(guest, 'room-ended')]);
      quiet(host, guest, other, late);
    });

    test('a host that reloads is host again, with its devices as before, and sees the chat history', async () => {
      const host = await enter('reload', 'Aiko');
      const guest = await enter('reload', 'Ben');
      await choose(host, 'Locked: no one else can join');
      await say(host, 'before the reload');
      await say(guest, 'so I see: https://example.org/a?b=c.');
      await reads(host, 'so I see');
      await host.page.getByRole('button', { name: 'Camera', exact: true }).click();
      await host.page.reload();
      await inside(host);
      await reads(host, 'You’re back');
      await host.page.getByRole('button', { name: 'Camera', pressed: false, exact: true }).waitFor();
      await host.page.getByRole('button', { name: 'Microphone', pressed: true, exact: true }).waitFor();
      await host.page.getByRole('radio', { name: 'Locked: no one else can join' }).waitFor({ state: 'detached' });
      await press(host, /^People/);
      expect(await host.page.getByRole('radio', { name: 'Locked: no one else can join' }).isChecked()).toBe(true);
      await press(host, /^Chat/);
      await reads(host, 'before the reload');
      expect(await host.page.getByRole('link').getAttribute('href')).toBe('https://example.org/a?b=c');
      await untilSeen(host, 1);
      await picture(host, 'after-reload');
      expect(await guest.page.locator('[data-peer]').count()).toBe(1);
      expect(await host.page.evaluate(() => sessionStorage.getItem('genkan.seat'))).toBeNull();

      await guest.page.reload();
      await inside(guest);
      await expect.poll(() => guest.page.locator('[data-peer]').count()).toBe(1);
      await press(guest, 'Leave');
      await ended(guest, 'left');
      await guest.page.reload();
      await guest.page.getByRole('button', { name: 'Join', exact: true }).waitFor();
      quiet(host, guest);
    });

    test('a new room with lobby and passcode keeps them; the room is remembered and forgotten', {
      tags: ['slow'],
    }, async () => {
      const host = await open(browserOf('Aiko'), site.url);
      people.push(host);
      await host.page.getByText('Who can join').click();
      await host.page.getByLabel('Only people a host admits').check();
      await host.page.getByLabel('Passcode').fill('sesame');
      await picture(host, 'landing');
      await press(host, 'New room');
      await host.page.waitForURL('**/rooms/*');
      await join(host, 'Aiko');
      await reads(host, 'Guests must be admitted');
      const room = new URL(host.page.url()).pathname.split('/').at(-1) ?? '';
      const guest = await knock(room, 'Ben');
      await reads(guest, 'This room has a passcode');
      await guest.page.getByLabel('Passcode').fill('sesame');
      await press(guest, 'Join');
      await reads(guest, 'A host is here');
      await press(host, 'Leave');
      await ended(host, 'left');
      await host.page.goto(site.url);
      await host.page.getByRole('link', { name: room }).waitFor();
      await picture(host, 'landing-recent');
      await press(host, 'Clear');
      await host.page.getByRole('link', { name: room }).waitFor({ state: 'detached' });
      quiet(host, guest);
    });
  });
