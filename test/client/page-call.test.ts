/** How often the page renders a call, and what it renders again. */
import type { ComponentChildren, VNode } from 'preact';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Emitter } from '../../app/client/events.ts';
import { announcementLimits } from '../../app/client/page/call/announcement-limit.ts';
import { CallModel } from '../../app/client/page/call/call-model.ts';
import { Line, withLinks } from '../../app/client/page/chat/chat.tsx';
import { ownLine, receivedLine } from '../../app/client/page/chat/chat-log.ts';
import type { Devices } from '../../app/client/page/devices/devices.ts';
import { clock, formatAs } from '../../app/client/page/i18n/format.ts';
import { words } from '../../app/client/page/i18n/i18n.ts';
import type { RemotePeer, RoomEvents } from '../../app/client/room.ts';
import type { Access, Role } from '../../app/protocol/messages.ts';

const far = vi.hoisted(() => ({ room: {} as object }));
vi.mock('../../app/client/room.ts', () => ({ join: () => far.room }));

const options = { access: 'knock', passcode: 'plum' } as const;
/** A call that has joined a new room in this state. */
const opened = (role: Role, room: { access: Access; passcode: boolean }) => {
  const emitter = new Emitter<RoomEvents>();
  const asked: unknown[] = [];
  const settle = async (value: unknown) => {
    asked.push(value);
    return { accepted: true };
  };
  const state = { state: 'joined' };
  far.room = {
    state,
    peers: [],
    on: emitter.on.bind(emitter),
    chat: () => new Promise(() => {}),
    lock: settle,
    setPasscode: settle,
  };
  const devices = { state: () => ({ state: 'off' }), onChange: () => () => {}, onReplaced: () => () => {}, stream: {} };
  const model = new CallModel({ room: 'garden', name: '', devices: devices as unknown as Devices, options });
  const self = { id: 'me', role, media: { audio: false, video: false }, hand: false };
  const join = () => {
    emitter.emit('room-state', { self, room, waiting: [] });
    emitter.emit('joined', { self, peers: [], room, recovered: false } as unknown as RoomEvents['joined']);
  };
  return { model, asked, join };
};

const ada = { id: 'a', name: 'Ada', hand: false, media: { audio: true, video: true } } as unknown as RemotePeer;

const enter = (state: (kind: string) => object = () => ({ state: 'off' })) => {
  const emitter = new Emitter<RoomEvents>();
  const room = {
    state: { state: 'joined' },
    peers: [ada],
    on: emitter.on.bind(emitter),
    chat: () => new Promise(() => {}),
  };
  far.room = room;
  const devices = { state, onChange: () => () => {}, onReplaced: () => () => {}, stream: {} };
  const model = new CallModel({ room: 'garden', name: '', devices: devices as unknown as Devices });
  const rendered = vi.fn();
  model.onChange(rendered);
  return { emitter, model, rendered, room };
};

describe('a call', () => {
  beforeEach(() => {
    vi.useFakeTimers();
    vi.stubGlobal('addEventListener', () => {});
    vi.stubGlobal('location', { href: 'https://host/garden' });
    vi.stubGlobal('isSecureContext', false);
  });
  afterEach(() => {
    vi.useRealTimers();
    vi.unstubAllGlobals();
  });

  it.each([true, false])('is rendered at most ten times a second while a peer floods it; chat open: %s', (isOpen) => {
    const { emitter, model, rendered } = enter();
    if (isOpen) model.show('chat');
    rendered.mockClear();
    for (let at = 1; at <= 100; at += 1) {
      emitter.emit('chat', { from: 'a', text: `${at}`, at });
      emitter.emit('reaction', { from: 'a', text: '!' });
      emitter.emit('mute-request', { from: 'a', kind: 'audio' });
      vi.advanceTimersByTime(10);
    }
    expect(rendered.mock.calls.length).toBeGreaterThanOrEqual(9);
    expect(rendered.mock.calls.length).toBeLessThanOrEqual(10);
    expect(model.chat.lines).toHaveLength(100);
  });

  it.each<[string, Role, { access: Access; passcode: boolean }, unknown[], string[]]>([
    ['that it was created with', 'host', { access: 'knock', passcode: true }, [], []],
    ['that it lost', 'host', { access: 'open', passcode: false }, ['knock', 'plum'], []],
    ['that another host decides on', 'guest', { access: 'open', passcode: false }, [], [words.call.optionsLost]],
  ])('of a new room sets only options of a room %s', (_, role, room, sets, toasts) => {
    const { model, asked, join } = opened(role, room);
    join();
    expect([asked, model.toasts.map(({ text }) => text)]).toEqual([sets, toasts]);
    join();
    expect(asked).toEqual(sets);
  });

  it('announces a limited number of texts and changes of one peer, and of others as before', () => {
    const { emitter, model } = enter();
    const announced = vi.spyOn(model, 'announce');
    const [burst, interval] = announcementLimits.peer;
    for (let at = 1; at <= 100; at += 1) {
      emitter.emit('chat', { from: 'a', text: `${at}`, at });
      emitter.emit('peer-updated', { ...ada, hand: at % 2 === 0 });
    }
    expect(announced.mock.calls).toHaveLength(2 * burst);
    emitter.emit('chat', { from: 'b', text: 'help', at: 101 });
    expect(announced).toHaveBeenLastCalledWith('Guest: help');
    expect(model.chat.unread).toBe(101);
    vi.advanceTimersByTime(interval);
    emitter.emit('chat', { from: 'a', text: 'again', at: 102 });
    expect(announced).toHaveBeenLastCalledWith('Ada: again');
  });

  it('announces a limited number of peers that join and leave', () => {
    const { emitter, model } = enter();
    const announced = vi.spyOn(model, 'announce');
    for (let index = 0; index < 100; index += 1)
      emitter.emit('peer-left', { peer: { ...ada, id: `p${index}` }, reason: 'left' });
    expect(announced.mock.calls).toHaveLength(announcementLimits.presence[0]);
  });

  it('announces another name of a peer, later if the peer has used up its announcements', () => {
    const { emitter, model, room } = enter();
    emitter.emit('peer-joined', ada);
    const announced = vi.spyOn(model, 'announce');
    for (let index = 0; index < 100; index += 1) emitter.emit('peer-updated', { ...ada, hand: index % 2 === 0 });
    announced.mockClear();
    room.peers = [{ ...ada, name: 'Ben' }];
    emitter.emit('peer-updated', { ...ada, name: 'Ben' });
    expect(announced).not.toHaveBeenCalled();
    vi.advanceTimersByTime(announcementLimits.peer[1]);
    expect(announced.mock.calls).toEqual([['Ada is now called Ben']]);
  });

  it('announces only the beginning of a text, and whether it is private', () => {
    const { emitter, model } = enter();
    emitter.emit('chat', { from: 'a', text: 'x'.repeat(4_000), at: 1 });
    emitter.emit('chat', { from: 'a', text: 'psst', at: 2, to: 'me' });
    const [long, whispered] = model.toasts.map(({ text }) => text);
    expect(long).toBe(`Ada: ${'x'.repeat(200)}…`);
    expect(whispered).toBe('Ada (only to you): psst');
  });
});

describe('a call with a server of a later protocol', () => {
  const failed = vi.fn();
  beforeEach(() => {
    vi.stubGlobal('addEventListener', () => {});
    vi.stubGlobal('location', { href: 'https://host/garden' });
    vi.stubGlobal('isSecureContext', false);
    vi.stubGlobal('reportError', failed);
  });
  afterEach(() => vi.unstubAllGlobals());

  it.each(['later', 'constructor', '__proto__'])('ignores a request to mute %s', (kind) => {
    const { emitter, model } = enter((device) => {
      expect(['camera', 'microphone']).toContain(device);
      return { state: 'on' };
    });
    emitter.emit('mute-request', { from: 'a', kind: kind as 'audio' });
    expect(model.local.muteRequest).toBeUndefined();
    emitter.emit('mute-request', { from: 'a', kind: 'audio' });
    expect(model.local.muteRequest).toEqual({ name: 'Ada', kind: 'audio' });
    expect(failed).not.toHaveBeenCalled();
  });
});

/** The elements of a rendered component, without those of the components in it. */
const elementsOf = (node: ComponentChildren): VNode<Record<string, unknown>>[] => {
  if (Array.isArray(node)) return node.flatMap(elementsOf);
  if (typeof node !== 'object' || node === null || !('props' in node)) return [];
  return [node as VNode<Record<string, unknown>>, ...elementsOf(node.props.children)];
};
const textOf = (node: ComponentChildren): string => {
  if (Array.isArray(node)) return node.map(textOf).join('');
  if (typeof node === 'object' && node !== null && 'props' in node) return textOf(node.props.children);
  return typeof node === 'string' ? node : '';
};

describe('a line of the chat', () => {
  it('says if it was sent only to this peer, where it is shown and announced', () => {
    const rendered = (to?: string) => {
      const line = { ...receivedLine({ from: 'a', text: 'psst', at: 1, to }, 'Ada'), key: 1 };
      return textOf(new Line({ line, language: 'en' }).render({ line, language: 'en' }));
    };
    expect([rendered(), rendered('me')]).toEqual([
      expect.not.stringContaining('Only to you'),
      expect.stringContaining('Only to you'),
    ]);
  });

  it('isolates the direction of its links, so that an override before one cannot reverse it', () => {
    const links = elementsOf(withLinks('\u202ehttps://e.vil/moc.elgoog//:sptth', 100)).map(({ type, props }) => [
      type,
      props.dir ?? props.href,
    ]);
    expect(links).toEqual([
      ['bdi', 'ltr'],
      ['a', 'https://e.vil/moc.elgoog//:sptth'],
    ]);
  });

  it('is rendered again only if it or the language changes', () => {
    const line = { ...ownLine('hello'), key: 1 };
    const shown = new Line({ line, language: 'en' });
    const changes = (language: string, next = line) => shown.shouldComponentUpdate({ line: next, language });
    expect([changes('en'), changes('ja'), changes('en', { ...line })]).toEqual([false, true, true]);
  });

  it('shows its time with one format for each language', () => {
    const create = vi.spyOn(Intl, 'DateTimeFormat');
    const noon = new Date(2026, 0, 1, 12, 30).getTime();
    formatAs('en-GB');
    for (let at = 0; at < 100; at += 1) expect(clock(noon)).toBe('12:30');
    formatAs('en-US');
    expect(clock(noon)).toBe('12:30 PM');
    expect(create).toHaveBeenCalledTimes(2);
    create.mockRestore();
  });
});
