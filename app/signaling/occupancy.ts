/** What a client may know of a room before it joins: the peer count, and the names if anyone could join and see them. */
import type { Refusal } from '../protocol/errors.ts';
import type { Inside } from '../protocol/http-answers.ts';
import type { RoomName } from '../protocol/messages.ts';
import type { Room, Rules } from '../rooms/room.ts';
import { type Caller, tooOften } from './authorize.ts';
import type { OccupancyDetail, Signaling } from './context.ts';

/** An unauthorized caller gets an empty response without the reason, since this is no attempt to join. */
export const occupancyOf = async (signaling: Signaling, room: RoomName, caller: Caller): Promise<Inside | Refusal> => {
  const { store, addresses, clock, limits } = signaling;
  if (limits.lobbyShows === 'nothing') return {};
  const wait = addresses.take('lookups', caller.address, clock());
  if (wait > 0) return tooOften(wait);
  const granted = await signaling.authorise(caller.token, room, clock());
  if ('refused' in granted) return {};
  const outcome = await store.commit(room, (current) => ({
    events: [],
    result: insideOf(current, limits.rules, limits.lobbyShows),
  }));
  return 'refused' in outcome ? {} : outcome.result;
};

const insideOf = (room: Room, rules: Rules, detail: OccupancyDetail): Inside => {
  const here = [...room.peers.values()].filter(({ presence }) => presence.at === 'here');
  const isOpen = (room.access ?? rules.access) === 'open' && room.passcode === undefined;
  const peers = here.length;
  if (detail !== 'names' || !isOpen) return { peers };
  return { peers, names: here.flatMap(({ name }) => (name === undefined ? [] : [name])) };
};
