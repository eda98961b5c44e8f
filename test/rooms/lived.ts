/** A registry with a room in which every field has been used. */
import { join } from '../../app/rooms/join.ts';
import { leaveForNow } from '../../app/rooms/leave.ts';
import { applyMessage } from '../../app/rooms/messages.ts';
import { Registry } from '../../app/rooms/registry.ts';
import { entrance, rules } from './rules.ts';

export const limits = {
  rooms: 9,
  rules,
  log: { events: 8, bytes: 100_000, age: 100_000 },
  kept: { total: 1e9, share: 1e9 },
};

export const lived = (): Registry => {
  const registry = new Registry(limits);
  const say = (from: string, message: object) => {
    registry.commit('r', (room, now) => applyMessage(room, from, message as never, now, rules), 7);
  };
  registry.commit(
    'r',
    (room) => join(room, entrance('a', { name: 'Aiko', granted: { role: 'host', name: 'Aiko' } }), 0, rules),
    1,
  );
  for (const id of ['b', 'c', 'd'])
    registry.commit('r', (room) => join(room, entrance(id, { until: 5000 }), 0, rules), 2);
  say('a', { type: 'passcode', n: 1, passcode: { salt: 's', hash: 'h' } });
  say('a', { type: 'lock', n: 2, access: 'knock' });
  say('a', { type: 'kick', n: 3, peer: 'd', ban: true });
  say('a', { type: 'passcode', n: 4, passcode: null });
  registry.commit('r', (room) => join(room, entrance('w', { name: 'Wanda' }), 0, rules), 3);
  say('b', { type: 'update', n: 1, hand: true, media: { audio: true, video: false, screen: true } });
  say('b', { type: 'signal', n: 2, to: 'a', epoch: 2, data: '{"sdp": "v=0\\r\\n 玄関"}' });
  say('a', { type: 'chat', n: 5, text: 'hello' });
  registry.commit('r', (room, now) => leaveForNow(room, 'c', now, rules), 9);
  return registry;
};
