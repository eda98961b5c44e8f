/** Which idle peer gives way to a newcomer when a room or its lobby is full. */
import { largestNetwork } from '../budgets/address.ts';
import { takeOut } from './leave.ts';
import type { LobbyPeer, Room, RoomEvent, Rules } from './room.ts';

/** Evicts an idle guest from a full room. @returns the events; undefined if no seat may be taken */
export const evictIdleSeat = (room: Room, newcomer: LobbyPeer, now: number, rules: Rules): RoomEvent[] | undefined => {
  const seats = [...room.peers.values()];
  const guests = seats.filter(({ role }) => role !== 'host');
  const one = longestIdle(guests, newcomer, countByNetwork(seats), now, rules);
  return one && takeOut(room, one.id, 'timeout', now, rules);
};

/** ms after which a seat that never listened is idle: enough to request events after joining by a request. */
const timeToListen = 2000;

/**
 * The seat that has been idle longest, of the network with the most idle seats: an attacker who fills a room without connecting
 * loses its own seats. A network keeps its only idle seat if that was ever connected. A network with no more seats than the
 * newcomer's keeps all: nobody takes the seat of an honest peer that reloads its page.
 */
export const longestIdle = (
  seats: LobbyPeer[],
  { from }: LobbyPeer,
  counts: Map<string, number>,
  now: number,
  { idleSeat }: Rules,
): LobbyPeer | undefined => {
  const newcomerNetwork = largestNetwork(from);
  const idle = seats.filter(
    ({ idleSince = now, listened }) => now - idleSince >= (listened ? idleSeat : Math.min(idleSeat, timeToListen)),
  );
  const idleCounts = countByNetwork(idle);
  const candidates = idle.filter((seat) => {
    const network = largestNetwork(seat.from);
    const isEvictable = !seat.listened || (idleCounts.get(network) ?? 0) > 1;
    const hasMore = (counts.get(network) ?? 0) > (counts.get(newcomerNetwork) ?? 0);
    return isEvictable && (network === newcomerNetwork || hasMore);
  });
  const rank = (seat: LobbyPeer): number => idleCounts.get(largestNetwork(seat.from)) ?? 0;
  return candidates.sort((a, b) => rank(b) - rank(a) || (a.idleSince ?? now) - (b.idleSince ?? now))[0];
};

export const countByNetwork = (seats: LobbyPeer[]): Map<string, number> => {
  const counts = new Map<string, number>();
  for (const { from } of seats) counts.set(largestNetwork(from), (counts.get(largestNetwork(from)) ?? 0) + 1);
  return counts;
};
