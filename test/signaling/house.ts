/** What transports need of a server, small, open to everyone and in this test's hands. */
import { createSessions } from '../../app/auth/session.ts';
import { zeroCounts } from '../../app/ops/counts.ts';
import type { Signaling } from '../../app/signaling/conversation.ts';
import { Fanout } from '../../app/signaling/fanout.ts';
import { Throttle } from '../../app/signaling/throttle.ts';
import { memoryStore } from '../../app/store/store.ts';
import { rules } from '../rooms/rules.ts';

export const openHouse = (over: Partial<Signaling> = {}): Signaling => {
  const { clock = () => 0, counts = zeroCounts() } = over;
  const { store = memoryStore({ rooms: 9, rules, log: { events: 99, bytes: 1e5, age: 1e6 } }, clock, counts) } = over;
  const throttle = () => new Throttle({ rate: 1, burst: 9 });
  return {
    sessions: createSessions('key of the test house'),
    fanout: new Fanout(store, 25),
    limits: {
      ...{ rules, rate: 100, burst: 100, byteRate: 9999, byteBurst: 9999, messageBytes: 9999, unsentBytes: 9999 },
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
    joins: throttle(),
    attempts: throttle(),
    looks: throttle(),
    settled: () => {},
    ...over,
    clock,
    counts,
    store,
  };
};
