/** Events that are sent again, to peers that come back or poll: asking for them is cheap, so seats and addresses have a budget. */
import type { SeatBudget } from '../budgets/seat-budgets.ts';
import { type Refusal, refuse } from '../protocol/errors.ts';
import type { RoomLogEntry } from '../rooms/event-log.ts';
import { type Caller, tooOften } from './authorize.ts';
import type { Signaling } from './handle-message.ts';

type Budgets = Pick<Signaling, 'addresses' | 'clock' | 'limits'>;

/** The refusal while the budget of the seat or of the address is used up. */
export const refuseReplay = (
  { addresses, clock }: Budgets,
  seat: SeatBudget,
  { address }: Caller,
): Refusal | undefined => {
  const now = clock();
  const buckets = addresses.buckets('replay', address, now);
  const wait = Math.max(seat.replayWait(now), ...buckets.map((bucket) => bucket.wait(now)));
  return wait > 0 ? { ...refuse('rate-limited'), retry: Math.max(wait, tooOften(0).retry ?? 0) } : undefined;
};

/** Counts everything that was read for it, also what the peer is not told of. */
export const countReplay = (
  { addresses, clock, limits }: Budgets,
  seat: SeatBudget,
  { address }: Caller,
  entries: RoomLogEntry[],
): void => {
  const now = clock();
  const missed = entries.reduce((sum, { event }) => sum + overhead + contentOf(event), 0);
  // No more than that is sent before the peer has read it.
  const bytes = Math.min(missed, limits.unsentBytes);
  seat.replay(bytes, now);
  for (const bucket of addresses.buckets('replay', address, now)) bucket.take(now, bytes);
};

/** Bytes that an event takes besides its content. */
const overhead = 64;

const contentOf = (event: RoomLogEntry['event']): number =>
  event.type === 'signal' ? event.data.length : Buffer.byteLength(JSON.stringify(event));
