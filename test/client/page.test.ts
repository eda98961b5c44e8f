import { describe, expect, it } from 'vitest';
import { tileSize } from '../../app/client/page/call/layout.ts';
import { endingOf } from '../../app/client/page/i18n/error-messages.ts';
import {
  icePolicyOf,
  newRoomName,
  normalRoomName,
  roomNameProblem,
  roomUrl,
  routeOf,
  takeToken,
} from '../../app/client/page/route.ts';
import { type ErrorCode, errors } from '../../app/protocol/errors.ts';
import { roomName } from '../../app/protocol/messages.ts';

describe('words', () => {
  it.each(Object.keys(errors) as ErrorCode[])('has an ending for %s', (code) => {
    const { title, text, next } = endingOf(code);
    expect(title).toMatch(/^[A-Z].+[^.]$/);
    expect(text).toMatch(/^[A-Z].+\.$/);
    expect(['again', 'new-room']).toContain(next);
    expect(`${title} ${text}`).not.toContain(code === 'left' || code === 'replaced' ? 'undefined' : `${code} `);
  });
});

describe('room names', () => {
  it.each(['garden', 'Zürich', '玄関', 'हिन्दी', 'a_b-C9', 'x'.repeat(64), '', 'a b', 'a/b', 'x'.repeat(65), 'é!', '%'])(
    'agrees with the protocol about %j',
    (typed) => {
      expect(roomNameProblem(normalRoomName(typed)) === undefined).toBe(roomName.safeParse(typed).success);
    },
  );

  it('makes names that cannot be guessed and need no encoding', () => {
    const names = new Set(Array.from({ length: 200 }, newRoomName));
    expect(names.size).toBe(200);
    for (const name of names) expect(name).toMatch(/^([0-9a-hjkmnp-tv-z]{4}-){3}[0-9a-hjkmnp-tv-z]{4}$/);
  });
});

describe('addresses', () => {
  it('may ask for a relay, beside other words', () => {
    expect(
      ['#ice=relay', '#x=1&ice=relay', '#ice=all', '#ice', ''].map((hash) => icePolicyOf(`https://h/r${hash}`)),
    ).toEqual(['relay', 'relay', 'all', 'all', 'all']);
  });

  it.each(['https://host/', 'https://host/deep/path/'])('lead to a room and back below %s', (base) => {
    for (const room of ['garden', '玄関', 'a-b_c']) {
      expect(routeOf(roomUrl(room, base), base)).toEqual({ type: 'room', room });
    }
    expect(routeOf(base, base)).toEqual({ type: 'landing' });
  });

  it.each(['%', 'a%20b', '%2F', 'x'.repeat(65)])('with the impossible room %s are told apart', (room) => {
    expect(routeOf(`https://host/rooms/${room}`, 'https://host/')).toEqual({ type: 'bad-room' });
  });
});

describe('a token in the address', () => {
  it.each([
    ['https://host/rooms/a#token=x.y-_.z', { token: 'x.y-_.z', shown: 'https://host/rooms/a' }],
    [
      'https://host/deep/rooms/%E7%8E%84?q=1#a=b&token=x',
      { token: 'x', shown: 'https://host/deep/rooms/%E7%8E%84?q=1#a=b' },
    ],
    ['https://host/rooms/a#token=', { token: '', shown: 'https://host/rooms/a' }],
    ['https://host/rooms/a?token=x', undefined],
    ['https://host/rooms/a#mytoken=x', undefined],
    ['https://host/rooms/a', undefined],
  ])('of %s is taken out', (url, taken) => {
    expect(takeToken(url)).toEqual(taken);
  });
});

describe('tiles', () => {
  it.each([
    [1440, 800],
    [820, 1100],
    [360, 660],
    [740, 280],
  ])('fit into %i × %i, and use it well', (width, height) => {
    for (let count = 1; count <= 8; count++) {
      const tile = tileSize({ width, height }, count, 8);
      const columns = Math.floor((width + 8) / (tile.width + 8));
      const rows = Math.ceil(count / columns);
      expect(rows * (tile.height + 8) - 8, `${count} tiles`).toBeLessThanOrEqual(height);
      expect((tile.width * tile.height * count) / (width * height), `${count} tiles`).toBeGreaterThan(0.4);
    }
  });
});
