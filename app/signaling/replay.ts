/** Replay of events to peers that resume or poll. Requesting it is cheap, so seats and addresses have a budget. */
import { largestNetwork } from '../budgets/address.ts';
import type { SeatBudget } from '../budgets/seat-budgets.ts';
import { turnCosts } from '../budgets/turn-shares.ts';
import type { ByteRange } from '../protocol/byte-range.ts';
import { type Refusal, refuse } from '../protocol/errors.ts';
import type { RoomLogEntry } from '../rooms/event-log.ts';
import { type Caller, tooOften } from './authorize.ts';
import type { Signaling } from './context.ts';

type Budgets = Pick<Signaling, 'addresses' | 'clock' | 'limits' | 'turns'>;

/** @returns the refusal while the budget of the seat or of the address is used up */
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

/** Charges all entries that were read, including those that are not for the peer. */
export const countReplay = (
  { addresses, clock, limits, turns }: Budgets,
  seat: SeatBudget,
  { address }: Caller,
  entries: RoomLogEntry[],
): void => {
  const now = clock();
  const missed = entries.reduce((sum, { event }) => sum + overhead + contentOf(event), 0);
  // No more than `unsentBytes` is sent before the peer has read it.
  const bytes = Math.min(missed, limits.unsentBytes);
  seat.replay(bytes, now);
  for (const bucket of addresses.buckets('replay', address, now)) bucket.take(now, bytes);
  // Small events cost time rather than bytes. Binary data may have to be checked for a receiver of JSON.
  const unread = entries.reduce((sum, { event }) => sum + binaryBytesOf(event), 0);
  turns.of(largestNetwork(address)).charge(entries.length * turnCosts.event + (unread / 1024) * turnCosts.kilobyte);
};

/** Bytes of an event in addition to its content. */
const overhead = 64;

const contentOf = (event: RoomLogEntry['event']): number =>
  event.type === 'signal' ? lengthOf(event.data) : Buffer.byteLength(JSON.stringify(event));

const binaryBytesOf = (event: RoomLogEntry['event']): number =>
  event.type === 'signal' && typeof event.data !== 'string' && event.data.isBinary ? event.data.byteLength : 0;

const lengthOf = (data: string | ByteRange): number => (typeof data === 'string' ? data.length : data.byteLength);
