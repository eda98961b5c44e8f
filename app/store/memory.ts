/** Rooms in the memory of this process. */
import { z } from 'zod';
import { type Refusal, refuse } from '../protocol/errors.ts';
import type { RoomName } from '../protocol/messages.ts';
import type { RoomLogEntry } from '../rooms/event-log.ts';
import { Registry, type RegistryLimits } from '../rooms/registry.ts';
import type { Command } from '../rooms/room.ts';
import { format } from '../rooms/snapshot.ts';
import { type Committed, countLeaves, type Leaves, type RoomListener, type Store } from './store.ts';

/** Has the same format number as the rooms it is transferred with. */
const claimPart = z.object({ format: z.literal(format), claim: z.string(), until: z.number() });

export const memoryStore = (limits: RegistryLimits, clock: () => number, counts: Leaves): Store => {
  const registry = new Registry(limits);
  const listeners = new Listeners(counts);
  const claims = new Map<string, number>();
  let handedOver = false;
  const commitNow = <T>(room: RoomName, command: Command<T>): Committed<T> | Refusal => {
    // The state has been exported: a change here would be lost.
    if (handedOver) return refuse('draining');
    const done = registry.commit(room, command, clock());
    if (!('refused' in done)) listeners.deliver(room, done.entries);
    return done;
  };
  const parts = function* (): Generator<unknown> {
    yield* registry.pack();
    for (const [claim, until] of claims) yield { format, claim, until };
  };
  return {
    commitNow,
    commit: async (room, command) => commitNow(room, command),
    async since(room, after) {
      return registry.since(room, after);
    },
    subscribe: (room, listener) => listeners.add(room, listener),
    async claim(key, until) {
      if ((claims.get(key) ?? 0) > clock()) return false;
      claims.set(key, until);
      return true;
    },
    async release(key) {
      claims.delete(key);
    },
    async sweep() {
      if (handedOver) return;
      for (const [key, until] of claims) if (until <= clock()) claims.delete(key);
      for (const [room, entries] of registry.sweep(clock())) listeners.deliver(room, entries);
    },
    count: () => registry.count(),
    keptBytes: () => registry.keptBytes(),
    holdings: () => registry.holdings(),
    shed: () => registry.shed(),
    ready: () => true,
    close: async () => {},
    handOver() {
      handedOver = true;
      return parts();
    },
    adopt(part) {
      const claimed = claimPart.safeParse(part);
      if (claimed.success) claims.set(claimed.data.claim, claimed.data.until);
      else registry.adopt(part);
    },
  };
};

/** The listeners of all rooms. Each gets every event once and in order. */
export class Listeners {
  readonly #rooms = new Map<RoomName, Set<RoomListener>>();
  /** Entries not yet delivered, starting with the current one. */
  readonly #pending: [RoomName, RoomLogEntry][] = [];
  readonly #counts: Leaves;

  constructor(counts: Leaves) {
    this.#counts = counts;
  }

  /** @returns a function that removes the listener */
  add(room: RoomName, listener: RoomListener): () => void {
    const listeners = this.#rooms.get(room) ?? new Set();
    this.#rooms.set(room, listeners.add(listener));
    return () => {
      listeners.delete(listener);
      if (listeners.size === 0 && this.#rooms.get(room) === listeners) this.#rooms.delete(room);
    };
  }

  deliver(room: RoomName, entries: RoomLogEntry[]): void {
    for (const { event } of entries) countLeaves(this.#counts, event);
    // A listener may run a command itself; its events are delivered after the current ones have reached all listeners.
    const isDelivering = this.#pending.length > 0;
    for (const entry of entries) this.#pending.push([room, entry]);
    if (!isDelivering) this.#deliverAll();
  }

  #deliverAll(): void {
    try {
      for (const [room, entry] of this.#pending) for (const listener of this.#rooms.get(room) ?? []) listener(entry);
    } finally {
      this.#pending.length = 0;
    }
  }
}
