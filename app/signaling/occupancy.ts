/** What somebody who has not entered may know of a room: how many are inside, and who, where anybody could go in and see. */
import type { Refusal } from '../protocol/errors.ts';
import type { Inside, RoomName } from '../protocol/messages.ts';
import type { Room, Rules } from '../rooms/room.ts';
import { type Caller, tooOften } from './authorize.ts';
import type { Signaling } from './handle-message.ts';

/** What is told to whoever may enter. */
export type OccupancyDetail = 'nothing' | 'count' | 'names';

/** Whoever may not enter is told nothing, and not why: it is no attempt to enter. */
export const occupancyOf = async (signaling: Signaling, room: RoomName, caller: Caller): Promise<Inside | Refusal> => {
  const { store, addresses, clock, limits } = signaling;
  if (limits.lobbyShows === 'nothing') return {};
  const wait = addresses.take('lookups', caller.address, clock());
  if (wait > 0) return tooOften(wait);
  const granted = await signaling.authorise(caller.token, room, clock());
  if ('refused' in granted) return {};
  const told = await store.commit(room, (place) => ({
    events: [],
    result: insideOf(place, limits.rules, limits.lobbyShows),
  }));
  return 'refused' in told ? {} : told.result;
};

const insideOf = (room: Room, rules: Rules, telling: OccupancyDetail): Inside => {
  const here = [...room.peers.values()].filter(({ presence }) => presence.at === 'here');
  const isOpen = (room.access ?? rules.access) === 'open' && room.passcode === undefined;
  const peers = here.length;
  if (telling !== 'names' || !isOpen) return { peers };
  return { peers, names: here.flatMap(({ name }) => (name === undefined ? [] : [name])) };
};
