/** The library in the lobby and with host commands, against the real server by WebSocket and by plain HTTP. */
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import {
  type ConnectionState,
  type JoinOptions,
  join,
  type Room,
  type RoomEvents,
  type RoomState,
} from '../../app/client/room.ts';
import type { Timing } from '../../app/client/timeouts.ts';
import { WebSocketPeer } from '../../app/conform/peers.ts';
import { atEnd, eventually, keepUntilFileEnds } from '../listener/uwsgi/finish.ts';
import { type Site, startSite } from '../signaling/site.ts';
import { FakeRtc } from './fake-rtc.ts';
import { type Fault, startSpoiled } from './spoiled.ts';

keepUntilFileEnds();
let site: Site;
beforeAll(async () => {
  // All of this process would count as tabs of one browser.
  vi.stubGlobal('navigator', {});
  site = await startSite(['--poll-grace', '2']);
});
afterAll(() => site.stop());

const timing: Partial<Timing> = { ping: 2_000, answer: 3_000, opening: 1_000, backoff: 50, longest: 500 };
let count = 0;

type Seen = { room: Room; states: ConnectionState[]; emitted: (name: keyof RoomEvents) => unknown[] };
/** Joins, and keeps the states and events that were emitted. */
const enter = (base: string, room: string, options: Partial<JoinOptions> = {}): Seen => {
  const joined = join({ base, room, timing, inPlaceOf: { rtc: new FakeRtc(room) }, ...options });
  const states: ConnectionState[] = [];
  const emitted: { name: string; value: unknown }[] = [];
  joined.on('state', (state) => states.push(state));
  for (const name of ['room-state', 'mute-request', 'refused', 'peer-left', 'joined'] as const)
    joined.on(name, (value) => emitted.push({ name, value }));
  atEnd(() => joined.leave());
  return {
    room: joined,
    states,
    emitted: (wanted) => emitted.filter(({ name }) => name === wanted).map(({ value }) => value),
  };
};
const isIn = ({ room }: Seen) => eventually(() => expect(room.state).toEqual({ state: 'joined' }));

describe.concurrent.each<[string, Fault[]]>([
  ['a WebSocket', []],
  ['plain HTTP', ['refuses upgrades']],
])('by %s', (_, faults) => {
  const start = async () => {
    const name = `hosts-${++count}`;
    const network = await startSpoiled(site.direct.http, faults);
    atEnd(() => network.close());
    return { name, network, base: `${network.url}/` };
  };
  /** A room with a lobby: its host and a guest, both using the library. */
  const knock = async () => {
    const { name, network, base } = await start();
    const host = enter(`${site.direct.http}/`, name, { name: 'Aiko' });
    await isIn(host);
    expect(await host.room.lock('knock')).toEqual({ accepted: true });
    const guest = enter(base, name, { name: 'Ben' });
    await eventually(() => expect(guest.room.state).toEqual({ state: 'waiting', host: true }));
    await eventually(() => expect(host.room.roomState?.waiting).toMatchObject([{ name: 'Ben', away: false }]));
    const id = host.room.roomState?.waiting[0]?.id ?? '';
    return { name, network, base, host, guest, id };
  };

  test('a peer in the lobby waits, is notified whether a host is present, and is admitted', async () => {
    const { name } = await start();
    const host = new WebSocketPeer(site.direct.http, name);
    atEnd(() => host.dispose());
    await host.join({ name: 'Aiko' });
    await host.send({ type: 'lock', access: 'knock' });
    await host.inbox.take('ack');
    const { base } = await start();
    const guest = enter(base, name, { name: 'Ben' });
    await eventually(() => expect(guest.room.state).toEqual({ state: 'waiting', host: true }));
    const sending = guest.room.chat('sent from the lobby');
    await host.cut();
    await eventually(() => expect(guest.room.state).toEqual({ state: 'waiting', host: false }));
    await host.resume();
    await eventually(() => expect(guest.room.state).toEqual({ state: 'waiting', host: true }));
    expect([guest.room.roomState, guest.room.peers]).toEqual([undefined, []]);
    await host.send({ type: 'admit', peer: (await host.inbox.take('lobby')).waiting[0]?.id });
    await isIn(guest);
    expect(guest.room.peers).toMatchObject([{ id: host.id, name: 'Aiko', role: 'host' }]);
    expect(guest.room.roomState).toMatchObject({ self: { role: 'guest' }, room: { access: 'knock' }, waiting: [] });
    expect(await sending).toEqual({ accepted: true });
    expect(await host.inbox.take('chat')).toMatchObject({ text: 'sent from the lobby' });
    const between = guest.states.map(({ state: is }) => is).filter((is) => is !== 'connecting');
    expect(between).toEqual(['waiting', 'waiting', 'waiting', 'joined']);
  });

  test('a denied peer is out for good', async () => {
    const { host, guest, id } = await knock();
    expect(await host.room.deny(id)).toEqual({ accepted: true });
    await eventually(() => expect(guest.room.state).toEqual({ state: 'closed', code: 'denied' }));
    await eventually(() => expect(host.room.roomState?.waiting).toEqual([]));
    expect(guest.states.at(-1)).toEqual({ state: 'closed', code: 'denied' });
  });

  test('a peer whose connection is lost in the lobby waits there again', async () => {
    const { network, host, guest, id } = await knock();
    network.cut();
    const lobbies = () => host.emitted('room-state').map((roomState) => (roomState as RoomState).waiting[0]?.away);
    await eventually(() => expect(lobbies()).toEqual([undefined, undefined, false, true, false]));
    await eventually(() => expect(guest.room.state).toEqual({ state: 'waiting', host: true }));
    expect(await host.room.admit(id)).toEqual({ accepted: true });
    await isIn(guest);
    await eventually(() => expect(host.room.peers).toMatchObject([{ id, away: false }]));
  });

  test('a host is notified of lobby entries, a new role, and the decisions of other hosts', async () => {
    const { host, guest, id } = await knock();
    await host.room.admit(id);
    await isIn(guest);
    await eventually(() => expect(host.room.roomState?.waiting).toEqual([]));
    expect(await guest.room.lock('open')).toEqual({ accepted: false, code: 'not-allowed' });
    expect(guest.emitted('refused')).toMatchObject([{ code: 'not-allowed' }]);
    await host.room.setRole(id, 'host');
    await eventually(() => expect(guest.room.roomState?.self.role).toBe('host'));
    expect(host.room.peers).toMatchObject([{ id, role: 'host' }]);
    expect(await guest.room.setPasscode('sesame')).toEqual({ accepted: true });
    await eventually(() => expect(host.room.roomState?.room).toEqual({ access: 'knock', passcode: true }));
    const hostId = host.room.roomState?.self.id ?? '';
    await guest.room.requestMute(hostId, 'audio');
    await eventually(() => expect(host.emitted('mute-request')).toMatchObject([{ from: id, kind: 'audio' }]));
    await host.room.setRole(id, 'guest');
    await eventually(() => expect(guest.room.roomState).toMatchObject({ self: { role: 'guest' }, waiting: [] }));
    expect(await host.room.setRole(hostId, 'guest')).toEqual({ accepted: false, code: 'last-host' });
  });

  test('a kick and the end of a room close the connection for good', async () => {
    const { name, base } = await start();
    const [host, one] = [enter(base, name), enter(base, name)];
    await isIn(host);
    await isIn(one);
    await eventually(() => expect(host.room.peers).toHaveLength(1));
    const first = host.room.roomState?.self.role === 'host' ? host : one;
    const other = first === host ? one : host;
    await eventually(() => expect(first.room.peers).toHaveLength(1));
    expect(await first.room.kick(other.room.roomState?.self.id ?? '', true)).toEqual({ accepted: true });
    await eventually(() => expect(other.room.state).toEqual({ state: 'closed', code: 'kicked' }));
    await eventually(() => expect(first.emitted('peer-left')).toMatchObject([{ reason: 'kicked' }]));
    void first.room.end();
    await eventually(() => expect(first.room.state).toEqual({ state: 'closed', code: 'room-ended' }));
    for (const { states } of [host, one]) expect(states.filter(({ state: is }) => is === 'joined')).toHaveLength(1);
  });

  test('a reloaded page has its seat, role and position in the peer list again', async () => {
    const { name, base } = await start();
    const host = enter(base, name, { name: 'Aiko' });
    await isIn(host);
    const guest = enter(base, name);
    await isIn(guest);
    const { id } = host.room.roomState?.self ?? { id: '' };
    const { session } = host.room;
    host.room.leave(true);
    expect(host.room.state).toEqual({ state: 'closed', code: 'left' });
    await eventually(() => expect(guest.room.peers).toMatchObject([{ id, away: true }]));
    const again = enter(base, name, { name: 'Aiko', session });
    await isIn(again);
    expect(again.emitted('joined')).toMatchObject([{ recovered: false }]);
    expect(again.room.roomState?.self).toMatchObject({ id, role: 'host', name: 'Aiko' });
    expect(again.room.peers).toHaveLength(1);
    await eventually(() => expect(guest.room.peers).toMatchObject([{ id, away: false, role: 'host' }]));
    expect(guest.emitted('peer-left')).toEqual([]);
    again.room.leave();
    await eventually(() => expect(guest.emitted('peer-left')).toMatchObject([{ reason: 'left' }]));
    const late = enter(base, name, { session: again.room.session });
    await isIn(late);
    // Its seat has expired, and another peer is host.
    expect(late.emitted('joined')).toMatchObject([{ recovered: false, self: { id, role: 'guest' } }]);
  });
});
