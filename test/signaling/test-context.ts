/** What transports need of a server: small, open to everyone, and controlled by this test. */
import { PasscodeHasher } from '../../app/auth/passcode.ts';
import { createSessions } from '../../app/auth/session.ts';
import { AddressBudgets, type AddressLimits } from '../../app/budgets/address-budgets.ts';
import { KeyedBuckets } from '../../app/budgets/keyed-buckets.ts';
import { SeatBudgets } from '../../app/budgets/seat-budgets.ts';
import { TurnShares } from '../../app/budgets/turn-shares.ts';
import { UnsentBytes } from '../../app/budgets/unsent-bytes.ts';
import type { Signaling } from '../../app/signaling/context.ts';
import { Fanout } from '../../app/signaling/fanout.ts';
import { zeroCounts } from '../../app/stats/counters.ts';
import { memoryStore } from '../../app/store/memory.ts';
import { rules } from '../rooms/rules.ts';

const seatLimits = { rate: 100, burst: 100, byteRate: 9999, byteBurst: 9999 };

export const addressLimits = (): AddressLimits => {
  const few = { rate: 1, burst: 9 };
  const many = { rate: 1e9, burst: 1e9 };
  return {
    rates: {
      joins: few,
      resumes: many,
      guesses: few,
      lookups: few,
      hashes: few,
      messages: many,
      bytes: many,
      replay: many,
      refusals: many,
      crossSiteRefusals: many,
    },
    held: { rooms: 9, seats: 99, connections: 99 },
  };
};

export const testContext = (over: Partial<Signaling> = {}): Signaling => {
  const { clock = () => 0, counts = zeroCounts() } = over;
  const {
    store = memoryStore(
      { rooms: 9, rules, log: { events: 99, bytes: 1e5, age: 1e6 }, kept: { total: 1e9, share: 1e9 } },
      clock,
      counts,
    ),
  } = over;
  return {
    sessions: createSessions('key of the test context'),
    fanout: new Fanout(store, 25),
    limits: {
      ...{ ...seatLimits, rules, messageBytes: 9999, unsentBytes: 9999 },
      ...{
        joinTimeout: 99,
        pollGrace: 1e6,
        pollWait: 1e6,
        heartbeat: 15_000,
        pingInterval: 99,
        maxQuiet: 99,
        ackDelay: 0,
        lobbyShows: 'count',
      },
    },
    ice: () => ({ servers: [], renewAt: Number.POSITIVE_INFINITY }),
    log: { info: () => {}, warn: () => {} },
    authorise: async () => ({}),
    refusedTo: () => {},
    turns: new TurnShares(setImmediate),
    unsent: new UnsentBytes(1e9),
    addresses: new AddressBudgets(addressLimits()),
    roomGuesses: new KeyedBuckets({ rate: 1, burst: 20 }),
    passcodes: new PasscodeHasher(),
    seats: new SeatBudgets(over.limits ?? seatLimits),
    settled: () => {},
    ...over,
    clock,
    counts,
    store,
  };
};
