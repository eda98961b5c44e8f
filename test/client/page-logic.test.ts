/** The page's logic without a browser: chat log, links, shortcuts, loudness, connection check, layouts, announcements. */
import { afterEach, describe, expect, it, vi } from 'vitest';
import {
  knocksSince,
  leaveAnnouncement,
  peerAnnouncement,
  roomStateAnnouncements,
} from '../../app/client/page/call/announcements.ts';
import { besideMain } from '../../app/client/page/call/layout.ts';
import { shortcutOf, shortcuts } from '../../app/client/page/call/shortcuts.ts';
import { levelsOf } from '../../app/client/page/call/use-active-speaker.ts';
import { warmUp } from '../../app/client/page/call/warm-up.ts';
import { ChatLog, most, ownLine, receivedLine } from '../../app/client/page/chat/chat-log.ts';
import { excerptLength, excerptOf } from '../../app/client/page/chat/excerpt.ts';
import { splitLinks } from '../../app/client/page/chat/linkify.ts';
import { heard, listenTo, loudness, speakerOf } from '../../app/client/page/devices/sound.ts';
import { list } from '../../app/client/page/i18n/format.ts';
import { words, wordsOf } from '../../app/client/page/i18n/i18n.ts';
import { split, unchecked, verdictOf } from '../../app/client/page/lobby/connectivity-check.ts';
import { keepSeat, recentRooms, rememberRoom, takeSeat } from '../../app/client/page/storage.ts';
import { browserOf } from '../../app/client/page/ui/browser.ts';
import type { RemotePeer } from '../../app/client/room.ts';

describe('the chat log', () => {
  const before = [
    { from: 'a', name: 'Ada', text: 'one', at: 1 },
    { from: 'me', name: 'Me', text: 'two', at: 2 },
    { from: 'b', text: 'three', at: 3 },
  ];

  it('starts with the chat history', () => {
    const lines = new ChatLog();
    lines.addHistory(before, 'me');
    expect(lines.all.map(({ mine, name, text }) => [mine, name, text])).toEqual([
      [false, 'Ada', 'one'],
      [true, 'You', 'two'],
      [false, 'Guest', 'three'],
    ]);
  });

  it('knows which messages only this peer has received', () => {
    const message = { from: 'a', text: 'one', at: 1 };
    const lines = [receivedLine(message, 'Ada'), receivedLine({ ...message, to: 'me' }, 'Ada'), ownLine('two')];
    expect(lines.map(({ isPrivate }) => isPrivate)).toEqual([false, true, false]);
  });

  it('has no duplicates when the room sends its history again, and keeps lines known only to this page', () => {
    const lines = new ChatLog();
    lines.add(receivedLine({ from: 'a', text: 'one', at: 1 }, 'Ada'));
    const key = lines.add(ownLine('two'));
    lines.add(ownLine('on its way'));
    lines.settle(key, 'done');
    lines.addHistory([...before, { from: 'a', name: 'Ada', text: 'one', at: 4 }], 'me');
    expect(lines.all.map(({ text, delivery }) => [text, delivery])).toEqual([
      ['one', 'done'],
      ['two', 'done'],
      ['on its way', 'sending'],
      ['three', 'done'],
      ['one', 'done'],
    ]);
  });
});

it('the chat log keeps the last lines of a flood', () => {
  const lines = new ChatLog();
  for (let at = 1; at <= 2 * most; at += 1) lines.add(receivedLine({ from: 'a', text: `${at}`, at }, 'Ada'));
  expect([lines.all.length, lines.all[0]?.text, lines.all.at(-1)?.text]).toEqual([most, `${most + 1}`, `${2 * most}`]);
});

describe('links', () => {
  it.each<[string, string[]]>([
    ['see https://a.example/b?c=d#e.', ['https://a.example/b?c=d#e']],
    ['(https://a.example/b), http://c.example!', ['https://a.example/b', 'http://c.example']],
    ['https://例え.テスト/道', ['https://例え.テスト/道']],
    ['javascript:alert(1) ftp://x www.example.org', []],
    ['"https://a.example"', ['https://a.example']],
    // Invisible characters and direction marks end a URL.
    ['https://a.example/\u202egpj.exe', ['https://a.example/']],
    ['https://a.example/b\u200b.evil.example', ['https://a.example/b']],
    ['https://a.example\u2800.evil.example', ['https://a.example']],
    ['https://a.example\u3164@evil.example', ['https://a.example']],
    // A host that looks like another one.
    ['https://bank.example@evil.example/ https://b.example', ['https://b.example']],
    ['https://bank.example:443@evil.example', []],
    ['https://a.example/@ada', ['https://a.example/@ada']],
    ['https://a.example?to=a@b.example', ['https://a.example?to=a@b.example']],
    ['https://bank.example\\@evil.example', ['https://bank.example\\@evil.example']],
    [
      'http://localhost:8080/x https://[2001:db8::1]:1/ http://my_host?x',
      ['http://localhost:8080/x', 'https://[2001:db8::1]:1/', 'http://my_host?x'],
    ],
    ['https://हिन्दी.example/ https://東京ノ宿.example', ['https://हिन्दी.example/', 'https://東京ノ宿.example']],
    // Characters of a host that look like the end of a host.
    ...[
      ...'\u2044\u2215\u29f8\uff0f\u2571\u27cb\u1735\u2041\u31d3\u2f03\u{1d23a}\u2cc6\u3033ノ丿ソ\u0294\uff1f\uff03½\u215f',
    ].map((character): [string, string[]] => [`https://bank.example${character}a.evil.example/`, []]),
    ['https://bank.example.ノ.evil.example', []],
    ['https://bank.example\u0338.evil.example', []],
    ['https:///evil.example https://:80/ https://a.example:b/', []],
  ])('are found in %j', (text, links) => {
    const parts = splitLinks(text);
    expect(parts.filter(({ type: is }) => is === 'link').map((part) => part.text)).toEqual(links);
    expect(parts.map((part) => part.text).join('')).toBe(text);
  });
});

describe('a long text', () => {
  it('is shown from its beginning: characters, lines', () => {
    expect([excerptLength(''), excerptLength('x'.repeat(500)), excerptLength('x'.repeat(4_000))]).toEqual([
      0, 500, 500,
    ]);
    expect([excerptLength('\n'.repeat(11)), excerptLength('\n'.repeat(4_000))]).toEqual([11, 11]);
    expect(excerptLength(`${'x'.repeat(499)}😀x`)).toBe(499);
    expect(excerptOf(`${'x'.repeat(199)}😀`, 200)).toBe(`${'x'.repeat(199)}…`);
    expect(excerptOf('short', 200)).toBe('short');
  });

  it('has no link that is cut off', () => {
    const text = `see https://a.example/${'x'.repeat(20)} or https://b.example`;
    const links = (length: number) =>
      splitLinks(text, length).flatMap(({ type: is, text: link }) => (is === 'link' ? [link] : []));
    expect([links(20), links(42), links(60)]).toEqual([
      [],
      [`https://a.example/${'x'.repeat(20)}`],
      [`https://a.example/${'x'.repeat(20)}`],
    ]);
    expect(
      splitLinks(text, 30)
        .map((part) => part.text)
        .join(''),
    ).toBe(text.slice(0, 30));
  });
});

describe('shortcuts', () => {
  const pressed = { ctrlKey: false, metaKey: false, altKey: false, repeat: false };
  it('are single letters without modifiers, one for each action', () => {
    expect(shortcutOf({ ...pressed, key: 'M' })).toBe('microphone');
    expect(shortcutOf({ ...pressed, key: '?' })).toBe('keys');
    expect(shortcutOf({ ...pressed, key: 'x' })).toBeUndefined();
    for (const held of ['ctrlKey', 'metaKey', 'altKey', 'repeat'])
      expect(shortcutOf({ ...pressed, key: 'm', [held]: true }), held).toBeUndefined();
    expect(new Set(Object.values(shortcuts)).size).toBe(Object.values(shortcuts).length);
  });
});

describe('requested of the browser', () => {
  afterEach(() => vi.unstubAllGlobals());

  it('is a single AudioContext, which runs only while somebody listens', () => {
    const made: { state: string }[] = [];
    class FakeContext {
      state = 'running';
      constructor() {
        made.push(this);
      }
      async resume() {
        this.state = 'running';
      }
      async suspend() {
        this.state = 'suspended';
      }
      createMediaStreamSource = () => ({ connect: () => {}, disconnect: () => {} });
      createAnalyser = () => ({ fftSize: 0, getByteTimeDomainData: (samples: Uint8Array) => samples.fill(128) });
    }
    const page = new EventTarget();
    vi.stubGlobal('AudioContext', FakeContext);
    vi.stubGlobal('addEventListener', page.addEventListener.bind(page));
    const ears = [listenTo({} as MediaStream), listenTo({} as MediaStream)];
    expect(ears[0]?.level()).toBe(0);
    ears[0]?.close();
    expect(made).toMatchObject([{ state: 'running' }]);
    ears[1]?.close();
    expect(made).toMatchObject([{ state: 'suspended' }]);
    // A click does not start listening.
    page.dispatchEvent(new Event('pointerdown'));
    expect(made).toMatchObject([{ state: 'suspended' }]);
    listenTo({} as MediaStream).close();
    const ear = listenTo({} as MediaStream);
    expect(made).toMatchObject([{ state: 'running' }]);
    ear.close();
  });

  it.each([true, false])(
    'is a connection before the first call, which is closed whether it works or not (%s)',
    async (works) => {
      const did: string[] = [];
      class FakeConnection {
        addTransceiver = (kind: string) => did.push(kind);
        createOffer = () => (works ? Promise.resolve({}) : Promise.reject(new Error('no codec')));
        close = () => did.push('closed');
      }
      vi.stubGlobal('RTCPeerConnection', FakeConnection);
      await warmUp();
      expect(did).toEqual(['audio', 'video', 'closed']);
    },
  );
});

describe('the active speaker', () => {
  it('is found by perceived loudness', () => {
    expect(loudness(new Uint8Array(512).fill(128))).toBe(0);
    const square = (height: number) => Uint8Array.from({ length: 512 }, (_, at) => 128 + (at % 2 ? height : -height));
    expect(loudness(square(127))).toBeCloseTo(1, 2);
    expect(loudness(square(4))).toBeCloseTo(0.5, 1);
    expect([0, 0.0001, 0.001, 1, 2].map(heard)).toEqual([0, 0, 0, 1, 1]);
    expect(heard(0.0316)).toBeCloseTo(0.5, 2);
  });

  it('is found by volume, also if that peer claims to be muted', () => {
    const volumes: Record<string, number> = { a: 0.001, b: 0.3 };
    const peers = Object.keys(volumes).map((id) => ({ id, media: { audio: id === 'a', video: false } }) as RemotePeer);
    expect(speakerOf(levelsOf({ peers, volume: (id) => volumes[id] ?? 0 }), undefined)).toBe('b');
  });

  it('is the loudest, none in silence, and the previous one while levels are close', () => {
    const levels = (a: number, b: number) => new Map(Object.entries({ a, b }));
    expect(speakerOf(levels(0.2, 0.3), undefined)).toBeUndefined();
    expect(speakerOf(levels(0.5, 0.6), undefined)).toBe('b');
    expect(speakerOf(levels(0.55, 0.6), 'a')).toBe('a');
    expect(speakerOf(levels(0.4, 0.7), 'a')).toBe('b');
    expect(speakerOf(levels(0.1, 0.4), 'a')).toBe('b');
  });
});

describe('the connection check', () => {
  it('groups ICE servers by protocol and transport', () => {
    const ice = [
      { urls: ['stun:s.example', 'stuns:s.example'] },
      {
        urls: ['turn:t.example?transport=udp', 'turn:t.example', 'turn:t.example?transport=tcp'],
        username: 'u',
        credential: 'c',
      },
      { urls: 'turns:t.example:443?transport=tcp', username: 'u', credential: 'c' },
    ];
    const ways = split(ice);
    expect(ways.stun.map(({ urls }) => urls)).toEqual(['stun:s.example', 'stuns:s.example']);
    expect(ways['turn-udp'].map(({ urls }) => urls)).toEqual(['turn:t.example?transport=udp', 'turn:t.example']);
    expect(ways['turn-tcp']).toEqual([
      { urls: 'turn:t.example?transport=tcp', username: 'u', credential: 'c' },
      { urls: 'turns:t.example:443?transport=tcp', username: 'u', credential: 'c' },
    ]);
  });

  const all = {
    ...unchecked,
    websocket: 'good',
    http: 'good',
    stun: 'good',
    'turn-udp': 'good',
    'turn-tcp': 'good',
  } as const;
  it.each([
    ['good', {}],
    ['good', { stun: 'none', 'turn-udp': 'none', 'turn-tcp': 'none' }],
    ['good', { stun: 'unknown', 'turn-udp': 'unknown', 'turn-tcp': 'unknown' }],
    ['fair', { websocket: 'bad' }],
    ['fair', { http: 'held' }],
    ['fair', { 'turn-udp': 'site' }],
    ['site', { websocket: 'site', http: 'site' }],
    ['bad', { stun: 'bad', 'turn-udp': 'site', 'turn-tcp': 'site' }],
    ['fair', { stun: 'bad', 'turn-udp': 'bad' }],
    ['bad', { websocket: 'bad', http: 'bad' }],
    ['bad', { stun: 'bad', 'turn-udp': 'bad', 'turn-tcp': 'bad' }],
    ['bad', { stun: 'none', 'turn-udp': 'bad', 'turn-tcp': 'bad' }],
  ] as const)('is %s for %j', (verdict, findings) => {
    expect(verdictOf({ ...all, ...findings })).toBe(verdict);
  });
});

describe('one large tile', () => {
  it.each([
    [1440, 800],
    [820, 1100],
    [360, 660],
    [740, 280],
  ])('and up to eleven small ones fit into %i × %i', (width, height) => {
    for (let others = 0; others <= 11; others++) {
      const { main, small, side } = besideMain({ width, height }, others, 8);
      expect(main.width * main.height, `${others} others`).toBeGreaterThan(width * height * 0.5);
      if (side === 'beside') {
        const rows = Math.max(1, Math.floor((height + 8) / (small.height + 8)));
        const columns = Math.ceil(others / rows);
        expect(main.width + columns * (small.width + 8), `${others} others`).toBeLessThanOrEqual(width);
        expect(small.height, `${others} others`).toBeGreaterThan(40);
        continue;
      }
      const columns = Math.floor((width + 8) / (small.width + 8));
      expect(main.height + Math.ceil(others / columns) * (small.height + 8)).toBeLessThanOrEqual(height);
    }
  });
});

describe('announcements', () => {
  const peer = { name: 'Ada', hand: false, media: { audio: true, video: true } };
  const roomState = {
    self: { id: 'me', role: 'guest', media: { audio: true, video: true }, hand: false },
    room: { access: 'open', passcode: false },
    waiting: [],
  } as const;

  it('report changes, not a state that continues', () => {
    expect(peerAnnouncement(undefined, peer)).toEqual([]);
    expect(peerAnnouncement(peer, { ...peer, hand: true })).toEqual(['Ada raised their hand']);
    expect(peerAnnouncement({ ...peer, hand: true }, { ...peer, hand: true })).toEqual([]);
    const sharing = { ...peer, media: { ...peer.media, screen: true } };
    expect(peerAnnouncement(peer, sharing)).toEqual(['Ada started sharing their screen']);
    expect(peerAnnouncement(peer, { ...peer, name: 'Ben' })).toEqual(['Ada is now called Ben']);
    expect(peerAnnouncement(undefined, { ...peer, name: 'Ben' })).toEqual([]);
  });

  it('isolate the direction of names and texts, which cannot end that', () => {
    const named = (name: string) => peerAnnouncement({ ...peer, name }, { ...peer, name, hand: true });
    expect(named('שלום')).toEqual(['\u2068שלום\u2069 raised their hand']);
    expect(leaveAnnouncement({ name: 'Ada\u202e' }, 'left')).toBe('\u2068Ada\u2069 left');
    expect(words.chat.said('Ada', 'a\u2069\u202eb \u2067c\u2069 \u2066d')).toBe('Ada: \u2068ab \u2067c\u2069 d\u2069');
    expect(words.lobby.names(list(['Ada', 'שלום']))).toBe('In the call: \u2068Ada, \u2068שלום\u2069\u2069');
    expect(words.files.offers('Ada', 'مرحبا.txt')).toBe('Ada wants to send you \u2068مرحبا.txt\u2069');
  });

  it('isolate every text in a language that is written from right to left', async () => {
    const { chat, people } = await wordsOf('ar');
    expect(chat.said('Ada', 'Hi!\u202e')).toBe('\u2068Ada\u2069: \u2068Hi!\u2069');
    expect(people.actions('علي')).toBe('إدارة \u2068علي\u2069');
  });

  it('report one’s own role, access to the room, and lobby entries', () => {
    const now = { ...roomState, waiting: [], self: { ...roomState.self, role: 'host' as const } };
    expect(roomStateAnnouncements(undefined, now)).toEqual([]);
    expect(roomStateAnnouncements({ ...roomState, waiting: [] }, now)).toEqual([
      expect.stringContaining('You’re now a host'),
    ]);
    const locked = { ...now, room: { access: 'locked' as const, passcode: false } };
    expect(roomStateAnnouncements(now, locked)).toEqual([expect.stringContaining('locked')]);
    const [b, c] = [
      { id: 'b', name: 'Ben', away: false },
      { id: 'c', away: false },
    ];
    expect(knocksSince({ ...now, waiting: [b] }, { ...now, waiting: [b, c] })).toEqual(['Guest wants to join']);
  });
});

describe.each(['later', 'constructor', '__proto__'])('the value %s of a later protocol', (value) => {
  it('is announced only as what is certain', () => {
    expect(leaveAnnouncement({ name: 'Ada' }, value as 'left')).toBe('Ada left');
    const self = { id: 'me', role: 'guest' as const, media: { audio: true, video: true }, hand: false };
    const roomState = { self, room: { access: 'open' as const, passcode: false }, waiting: [] };
    const later = { ...roomState, room: { access: value as 'open', passcode: false } };
    expect(roomStateAnnouncements(roomState, later)).toEqual([]);
    expect(roomStateAnnouncements(later, roomState)).toEqual([words.call.access.open]);
  });
});

describe('the browser storage', () => {
  const storage = () => {
    const kept = new Map<string, string>();
    return {
      getItem: (key: string) => kept.get(key) ?? null,
      setItem: (key: string, value: string) => kept.set(key, value),
      removeItem: (key: string) => kept.delete(key),
    };
  };
  afterEach(() => {
    vi.unstubAllGlobals();
    vi.useRealTimers();
  });

  it('returns a seat once, for its room, and within a minute', () => {
    vi.stubGlobal('sessionStorage', storage());
    vi.useFakeTimers();
    const seat = { room: 'garden', session: 's', name: '', camera: true, microphone: false };
    keepSeat(seat);
    expect(takeSeat('garden')).toMatchObject(seat);
    expect(takeSeat('garden')).toBeUndefined();
    keepSeat(seat);
    expect(takeSeat('another')).toBeUndefined();
    keepSeat(seat);
    vi.advanceTimersByTime(61_000);
    expect(takeSeat('garden')).toBeUndefined();
    sessionStorage.setItem('genkan.seat', '{"room":"garden"');
    expect(takeSeat('garden')).toBeUndefined();
  });

  it('returns nothing where storage is forbidden', () => {
    expect(takeSeat('garden')).toBeUndefined();
    expect(recentRooms()).toEqual([]);
  });

  it('keeps five rooms, the newest first, without duplicates', () => {
    vi.stubGlobal('localStorage', storage());
    for (const room of ['a', 'b', 'c', 'a', 'd', 'e', 'f']) rememberRoom(room);
    expect(recentRooms()).toEqual(['f', 'e', 'd', 'a', 'c']);
  });
});

describe('the browser', () => {
  it.each([
    ['firefox', 'Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0'],
    ['chrome', 'Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0 Safari/537.36'],
    [
      'chrome',
      'Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0 Safari/537.36 Edg/140.0',
    ],
    ['safari', 'Mozilla/5.0 (Macintosh) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.0 Safari/605.1.15'],
    ['other', 'Something/1.0'],
  ])('%s is recognised by its user agent', (family, agent) => {
    expect(browserOf(agent)).toBe(family);
  });
});
