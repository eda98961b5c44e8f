/** Small rules and shortcuts for tests of rooms. */
import { type Entrance, join } from '../../app/rooms/join.ts';
import type { Decision, Room, Rules } from '../../app/rooms/room.ts';
import type { View } from '../../app/rooms/view.ts';

/** Times in ms. */
export const rules: Rules = {
  access: 'open',
  maxPeers: 4,
  maxWaiting: 2,
  maxEndedSessions: 16,
  chatHistory: 3,
  grace: 1000,
  returnGrace: 100,
  roomMemory: 0,
  idleSeat: 200,
  resumes: { rate: 1, burst: 100 },
};

export const entrance = (id: string, more: Partial<Entrance> = {}): Entrance => ({
  id,
  secretHash: `hash of ${id}`,
  until: Number.POSITIVE_INFINITY,
  ...more,
});

/** @throws if it was refused, or must wait */
export const enter = (room: Room, id: string, more: Partial<Entrance> = {}, by: Rules = rules) => {
  const { events, result } = took(join(room, entrance(id, more), 0, by));
  if (result.state === 'waiting') throw new Error(`${id} has to wait`);
  const view: View = result.view;
  return { events, view };
};

/**
 * The decision.
 * @throws if it was refused
 */
export const took = <T>(decision: Decision<T>): Exclude<Decision<T>, { refused: unknown }> => {
  if ('refused' in decision) throw new Error(decision.refused);
  return decision;
};
