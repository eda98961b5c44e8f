/** The lobby, where peers wait to be admitted. */
import { largestNetwork } from '../budgets/address.ts';
import { type Refusal, refuse } from '../protocol/errors.ts';
import { countByNetwork, longestIdle } from './evict.ts';
import type { LobbyPeer, Room, RoomEvent, Rules } from './room.ts';

/** Adds a newcomer to the lobby. */
export const knock = (room: Room, self: LobbyPeer, now: number, rules: Rules): RoomEvent[] | Refusal => {
  const full = !room.waiting.has(self.id) && room.waiting.size >= rules.maxWaiting;
  const events = full ? evictFromLobby(room, self, now, rules) : [];
  if (!events) return refuse('lobby-full', `at most ${rules.maxWaiting}`);
  room.waiting.set(self.id, self);
  return events;
};

/**
 * Makes space in a full lobby. An idle peer goes first; else the newest peer of the network with the most, if the newcomer's
 * network would still have fewer. The evicted peer may knock again.
 */
const evictFromLobby = (room: Room, self: LobbyPeer, now: number, rules: Rules): RoomEvent[] | undefined => {
  const waiting = [...room.waiting.values()];
  const one = longestIdle(waiting, self, countByNetwork(waiting), now, rules) ?? newestOfLargest(waiting, self);
  if (!one) return undefined;
  room.waiting.delete(one.id);
  return [{ type: 'denied', peer: one.id, crowded: true }];
};

const newestOfLargest = (waiting: LobbyPeer[], { from }: LobbyPeer): LobbyPeer | undefined => {
  const counts = countByNetwork(waiting);
  const most = Math.max(0, ...counts.values());
  if (most <= (counts.get(largestNetwork(from)) ?? 0) + 1) return undefined;
  return waiting.findLast((one) => counts.get(largestNetwork(one.from)) === most);
};
