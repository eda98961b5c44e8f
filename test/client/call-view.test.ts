/** The keyboard, dialogs and picture-in-picture of a call, over a minimal DOM. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { h } from 'preact';
import { act } from 'preact/test-utils';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { CallModel } from '../../app/client/page/call/call-model.ts';
import { CallDialog } from '../../app/client/page/call/dialogs.tsx';
import { toggleFloating } from '../../app/client/page/call/full-screen.ts';
import { Stage } from '../../app/client/page/call/stage.tsx';
import { useShortcuts } from '../../app/client/page/call/use-shortcuts.ts';
import { words } from '../../app/client/page/i18n/i18n.ts';
import { Landing } from '../../app/client/page/lobby/landing.tsx';
import { PasscodeNeeded } from '../../app/client/page/lobby/passcode.tsx';
import { settled } from './fake-clock.ts';
import { closePage, FakeElement, rendered, stubPage } from './fake-dom.ts';

let browser: EventTarget;
beforeEach(() => {
  browser = stubPage();
});
afterEach(closePage);

describe('the space bar', () => {
  const overflows = new Set<FakeElement>();
  beforeEach(() => {
    vi.stubGlobal('getComputedStyle', (element: FakeElement) => ({
      overflowY: overflows.has(element) ? 'auto' : 'visible',
    }));
  });

  const press = async (target: FakeElement) => {
    const microphone = { state: 'muted' };
    const toggle = vi.fn();
    const devices = { state: () => microphone, toggle, turnOff: () => {} };
    const model = { devices, announce: () => {} } as unknown as CallModel;
    const Keyboard = () => {
      useShortcuts(model, () => {});
      return null;
    };
    await rendered(h(Keyboard, {}));
    const event = Object.assign(new Event('keydown', { cancelable: true }), { key: ' ' });
    Object.defineProperty(event, 'target', { value: target });
    browser.dispatchEvent(event);
    return { isTalking: toggle.mock.calls.length > 0, isPrevented: event.defaultPrevented };
  };
  const element = (name: string, scrollHeight: number, parent?: FakeElement) => {
    const added = Object.assign(new FakeElement(name), { scrollHeight, clientHeight: 100 });
    parent?.insertBefore(added, null);
    return added;
  };

  it('is push-to-talk where it does nothing else', async () => {
    expect(await press(element('h1', 100))).toEqual({ isTalking: true, isPrevented: true });
    expect(await press(element('h1', 200, element('main', 200)))).toEqual({ isTalking: true, isPrevented: true });
  });

  it('scrolls a focused region that can scroll, and what is in it', async () => {
    const log = element('div', 200);
    overflows.add(log);
    expect(await press(log)).toEqual({ isTalking: false, isPrevented: false });
    expect(await press(element('article', 50, log))).toEqual({ isTalking: false, isPrevented: false });
    log.scrollHeight = 100;
    expect(await press(log)).toEqual({ isTalking: true, isPrevented: true });
  });

  it.each(['button', 'a', 'textarea'])('belongs to a focused %s', async (name) => {
    expect(await press(element(name, 0))).toEqual({ isTalking: false, isPrevented: false });
  });
});

describe('the invitation', () => {
  const invite = (access: string) => {
    const model = { roomState: { room: { access, passcode: false } } } as unknown as CallModel;
    return rendered(h(CallDialog, { name: 'invite', room: 'garden', model, open: () => {} }));
  };

  it('announces each copy of the link, although the text is the same', async () => {
    vi.stubGlobal('navigator', { clipboard: { writeText: async () => {} } });
    const root = await invite('open');
    const button = root.find(
      ({ localName, textContent }) => localName === 'button' && textContent === words.invite.copy,
    );
    const status = root.find(({ attributes }) => attributes.get('role') === 'status');
    const texts: (FakeElement | null | undefined)[] = [];
    for (let copy = 0; copy < 2; copy += 1) {
      await act(async () => {
        button?.dispatchEvent(new Event('click'));
        await settled();
      });
      expect(status?.textContent).toBe(words.invite.copied);
      texts.push(status?.firstChild);
    }
    expect(texts[1]).not.toBe(texts[0]);
  });

  it('does not explain an access that it does not know', async () => {
    vi.stubGlobal('navigator', {});
    expect((await invite('knock')).textContent).toContain(words.invite.knock);
    for (const access of ['copied', 'later', 'constructor']) {
      const root = await invite(access);
      expect(root.find(({ localName }) => localName === 'p')?.textContent, access).toBe('');
    }
  });
});

it.each([
  [
    'the start page',
    () => h(Landing, { open: () => {}, openNew: () => {} }),
    'room-problem',
    words.landing.problems.missing,
  ],
  [
    'the passcode form',
    () => h(PasscodeNeeded, { wrong: false, join: () => {}, back: () => {} }),
    'passcode-problem',
    words.passcode.missing,
  ],
])('%s announces each error, although the text is the same', async (_, view, id, text) => {
  const root = await rendered(view());
  const alert = root.find(({ attributes }) => attributes.get('id') === id);
  const form = alert?.parentElement;
  const texts: (FakeElement | null | undefined)[] = [];
  for (let attempt = 0; attempt < 2; attempt += 1) {
    await act(() => void form?.dispatchEvent(new Event('submit', { cancelable: true })));
    expect(alert?.textContent).toBe(text);
    texts.push(alert?.firstChild);
  }
  expect(texts[1]).not.toBe(texts[0]);
});

it.each(['later', 'constructor'])('the stage has no badge for the unknown access %s', async (access) => {
  vi.stubGlobal(
    'ResizeObserver',
    class {
      observe(): void {}
      disconnect(): void {}
    },
  );
  const devices = { state: () => ({ state: 'off' }), stream: null, onChange: () => () => {} };
  const model = {
    ...{ peers: [], devices, name: '', local: { hand: false }, state: { state: 'reconnecting' } },
    ...{ reactions: { of: () => undefined }, roomState: { room: { access, passcode: false } } },
  } as unknown as CallModel;
  const root = await rendered(h(Stage, { room: 'garden', model }));
  expect(root.find(({ attributes }) => attributes.get('class') === 'access-badge')).toBeUndefined();
});

describe('picture-in-picture', () => {
  /** Elements in the order of the document, each with the selectors that match it. */
  const show = (...tiles: { selectors: string[]; name: string }[]) => {
    const opened: string[] = [];
    const querySelector = (selectors: string) => {
      const tile = tiles.find((each) => selectors.split(', ').some((selector) => each.selectors.includes(selector)));
      return tile && { requestPictureInPicture: async () => void opened.push(tile.name) };
    };
    Object.assign(document, { querySelector: (selectors: string) => querySelector(selectors) ?? null });
    return opened;
  };
  const peer = (name: string) => ({ name, selectors: ['[data-peer] video'] });
  const main = (name: string) => ({ name, selectors: ['[data-peer] video', '.tile.main video'] });

  it('opens for the large tile, wherever it is in the document', async () => {
    const opened = show(peer('Ada'), main('Ben'), peer('Eve'));
    await toggleFloating();
    expect(opened).toEqual(['Ben']);
  });

  it('opens for the first peer if no tile is large, and for nobody if there is none', async () => {
    const opened = show(peer('Ada'), peer('Ben'));
    await toggleFloating();
    show();
    await toggleFloating();
    expect(opened).toEqual(['Ada']);
  });

  it('is closed if it is open, and a failure is ignored', async () => {
    const exit = vi.fn(() => Promise.reject(new Error('it is closed already')));
    Object.assign(document, { pictureInPictureElement: {}, exitPictureInPicture: exit });
    await toggleFloating();
    expect(exit).toHaveBeenCalledTimes(1);
  });
});

it('every finding that a colour shows has one in forced colours', () => {
  const read = (name: string) => readFileSync(join(import.meta.dirname, `../../app/client/page/style/${name}`), 'utf8');
  const findingsIn = (css: string) => new Set([...css.matchAll(/\[data-finding="(\w+)"\]/g)].map(([, name]) => name));
  expect(findingsIn(read('dialog.css')).size).toBe(4);
  expect(findingsIn(read('forced.css'))).toEqual(findingsIn(read('dialog.css')));
});
