/** The transitions between the views of the page, and what each releases. */
import { h } from 'preact';
import { act } from 'preact/test-utils';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { App } from '../../app/client/page/app.tsx';
import type { ErrorCode } from '../../app/protocol/errors.ts';
import { closePage, rendered, stubPage } from './fake-dom.ts';

type Action = (...values: unknown[]) => void;

const page = vi.hoisted(() => {
  class FakeModel {
    everJoined = false;
    left = false;
    over: (code: string) => void = () => {};
    becomeReady: () => void = () => {};
    ready = new Promise<void>((resolve) => {
      this.becomeReady = resolve;
    });
    onOver = (listener: (code: string) => void) => {
      this.over = listener;
      return () => {};
    };
    entry: object;
    constructor(entry: object) {
      this.entry = entry;
      state.models.push(this);
    }
    leave() {
      this.left = true;
      this.over('left');
    }
  }
  const chunk = { Call: () => view('call'), CallModel: FakeModel, warmUp: async () => {} };
  const state = {
    ...{
      shown: '',
      props: {} as Record<string, Action>,
      models: [] as FakeModel[],
      devices: [] as { closed: boolean }[],
    },
    ...{ chunk: undefined as typeof chunk | undefined, loaded: () => {} },
  };
  const view = (name: string, props: object = {}) => {
    state.shown = name;
    state.props = props as Record<string, Action>;
    return null;
  };
  return { chunk, state, view };
});

vi.mock('../../app/client/page/lobby/landing.tsx', () => ({ Landing: (props: object) => page.view('landing', props) }));
vi.mock('../../app/client/page/lobby/lobby.tsx', () => ({ Lobby: (props: object) => page.view('lobby', props) }));
vi.mock('../../app/client/page/lobby/passcode.tsx', () => ({
  PasscodeNeeded: (props: object) => page.view('passcode', props),
}));
vi.mock('../../app/client/page/call/call-ended.tsx', () => ({
  CallEnded: (props: object) => page.view('ended', props),
  OutdatedPage: () => page.view('outdated'),
}));
vi.mock('../../app/client/page/lobby/load-call-chunk.ts', () => ({
  get callChunk() {
    return page.state.chunk;
  },
  loadCallChunk: () => new Promise((resolve) => Object.assign(page.state, { loaded: () => resolve(page.chunk) })),
}));
vi.mock('../../app/client/page/devices/devices.ts', () => ({
  Devices: class {
    closed = false;
    constructor() {
      page.state.devices.push(this);
    }
    async start() {}
    close() {
      this.closed = true;
    }
  },
}));

describe('the page', () => {
  let browser: EventTarget;
  beforeEach(() => {
    Object.assign(page.state, { models: [], devices: [], chunk: page.chunk });
    browser = stubPage();
    vi.stubGlobal('history', { state: null, pushState: () => {}, replaceState: () => {} });
  });
  afterEach(closePage);

  const goTo = (path: string) => vi.stubGlobal('location', { href: `https://host/${path}` });
  const back = (path: string) =>
    act(() => {
      goTo(path);
      browser.dispatchEvent(new Event('popstate'));
    });
  const press = (name: string, ...values: unknown[]) => act(() => void page.state.props[name]?.(...values));
  /** In the lobby of a room. */
  const start = async () => {
    goTo('rooms/garden');
    await rendered(h(App, {}));
    expect(page.state.shown).toBe('lobby');
  };
  const call = async () => {
    await start();
    await press('join', 'Ada');
    const model = page.state.models[0] ?? expect.fail('no call');
    return { model, devices: page.state.devices[0] ?? expect.fail('no devices') };
  };
  const shownCall = async () => {
    const { model, devices } = await call();
    await act(async () => model.becomeReady());
    expect(page.state.shown).toBe('call');
    return { model, devices };
  };
  const endsWith = (model: { over: (code: ErrorCode) => void }, code: ErrorCode) => act(() => model.over(code));

  it('leaves the call and releases the devices after Back, also before the call is shown', async () => {
    const { model, devices } = await call();
    await back('');
    expect([page.state.shown, model.left, devices.closed]).toEqual(['landing', true, true]);
    await act(async () => model.becomeReady());
    expect(page.state.shown).toBe('landing');
  });

  it('does not join after Back while the call is loaded', async () => {
    page.state.chunk = undefined;
    await start();
    await press('join', 'Ada');
    await back('');
    await act(async () => page.state.loaded());
    expect([page.state.shown, page.state.models.length]).toEqual(['landing', 0]);
    expect(page.state.devices).toMatchObject([{ closed: true }]);
  });

  it.each(['', 'rooms/a%20b', 'rooms/garden', 'rooms/another'])(
    'leaves a shown call after Back to /%s',
    async (path) => {
      const { model, devices } = await shownCall();
      await back(path);
      expect([model.left, devices.closed]).toEqual([true, true]);
      expect(page.state.devices.slice(1).filter(({ closed }) => closed)).toEqual([]);
      expect(page.state.shown).toBe({ '': 'landing', 'rooms/a%20b': 'ended' }[path] ?? 'lobby');
    },
  );

  it('keeps the devices while it asks for a passcode, and releases them when the call ends', async () => {
    const { model, devices } = await shownCall();
    await endsWith(model, 'passcode-needed');
    expect([page.state.shown, devices.closed]).toEqual(['passcode', false]);
    await press('join', 'plum');
    const second = page.state.models[1] ?? expect.fail('no second call');
    await act(async () => second.becomeReady());
    expect([page.state.shown, devices.closed]).toEqual(['call', false]);
    await endsWith(second, 'kicked');
    expect([page.state.shown, devices.closed]).toEqual(['ended', true]);
  });

  it.each([
    ['by which its creator joins as host', 201, 'an id.a secret'],
    ['and opens all the same if the server refuses', 403, undefined],
  ])('creates a new room with its settings, %s', async (_, status, session) => {
    const options = { access: 'knock', passcode: 'plum' };
    const requests: [string, unknown][] = [];
    let answer = (_: Response) => {};
    vi.stubGlobal('fetch', (url: URL, { body }: { body: string }) => {
      requests.push([url.pathname.replace(/[^/]+(?=\/create)/, 'new'), JSON.parse(body)]);
      return new Promise<Response>((resolve) => {
        answer = resolve;
      });
    });
    goTo('');
    await rendered(h(App, {}));
    await press('openNew', options);
    await press('openNew', options);
    // A reload of the lobby before the response would lose the session.
    expect([page.state.shown, requests]).toEqual(['landing', [['/rooms/new/create', options]]]);
    answer(Response.json({ session: 'an id.a secret', memory: 600 }, { status }));
    await vi.waitFor(() => act(() => expect(page.state.shown).toBe('lobby')));
    await press('join', 'Ada');
    expect(page.state.models).toMatchObject([{ entry: { session, options } }]);
  });

  it('releases the devices after Back from the request for a passcode, also once it is entered', async () => {
    const { model, devices } = await shownCall();
    await endsWith(model, 'passcode-needed');
    await press('join', 'plum');
    await back('');
    expect([page.state.models[1]?.left, devices.closed]).toEqual([true, true]);
  });
});
