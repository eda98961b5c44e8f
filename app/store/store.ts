/** Where rooms live: the contract every store keeps, and the store that is this process's own memory. */
import { z } from 'zod';
import type { Holding } from '../budgets/address-budgets.ts';
import { type Refusal, refuse } from '../protocol/errors.ts';
import type { LeaveReason, RoomName } from '../protocol/messages.ts';
import type { RoomLogEntry } from '../rooms/event-log.ts';
import { Registry, type RegistryLimits } from '../rooms/registry.ts';
import type { Command, RoomEvent } from '../rooms/room.ts';
import { format } from '../rooms/snapshot.ts';

/** `seq`: the number of the room's last event once the command was carried out. */
export type Committed<T> = { seq: number; result: T };
export type RoomListener = (entry: RoomLogEntry) => void;

export interface Store {
  /** This process among those that share the store; absent where nothing is shared. */
  readonly worker?: string;
  /**
   * Runs a command on the room and stores and numbers what it returns; resolves when that is kept. Commands given for
   * one room are carried out in the order they were given; one may be run again, on another copy of the room. While the store
   * is away a command is refused, or, to be carried out in any case (`insist`), it waits.
   */
  commit<T>(room: RoomName, command: Command<T>, insist?: 'insist'): Promise<Committed<T> | Refusal>;
  /** The same of a store that is one process's own: it is kept, and told, when this returns. */
  commitNow?<T>(room: RoomName, command: Command<T>): Committed<T> | Refusal;
  /** The room's events after a number; `gone` when they are not all kept any more. */
  since(room: RoomName, after: number): Promise<RoomLogEntry[] | 'gone' | Refusal>;
  /**
   * Hears every event of a room from now on, before whatever this process asks next, once and in order, until the returned
   * function is called; one that `since` returned may be heard nevertheless, which its number tells. What the store
   * knew of the room may be lost, and events with it: then `lost` is called.
   */
  subscribe(room: RoomName, listener: RoomListener, lost?: () => void): () => void;
  /** Takes a key for one's own until `until` (ms since 1970); false when somebody has it. */
  claim(key: string, until: number): Promise<boolean | Refusal>;
  /** Gives a key back that was taken in vain. */
  release(key: string): Promise<void>;
  /** Lets time pass, in every room. */
  sweep(): Promise<void>;
  /** Those of this process. */
  count(): { rooms: number; peers: number };
  /** Bytes that rooms keep, as this process counts them against its budget. */
  keptBytes(): number;
  /** Rooms and seats that this process knows, by the network of the client that opened or took them. */
  holdings(): Map<string, Holding>;
  /** Of a store that is one process's own: all that is kept, as JSON in parts; from the call on nothing is taken any more. */
  handOver?(): Iterable<unknown>;
  /** Lets go of what can be missed: memory is short. Of a store that is one process's own. */
  shed?(): void;
  /** Goes on with a part of another such store. @throws when it cannot be read */
  adopt?(part: unknown): void;
  /** Whether rooms can be reached now, and written. */
  ready(): boolean;
  close(): Promise<void>;
}

/** Its format is that of the rooms it travels with. */
const claimPart = z.object({ format: z.literal(format), claim: z.string(), until: z.number() });

/** Who left, incremented in place. */
export type Leaves = { leaves: Record<LeaveReason | 'ended', number> };

export const countLeaves = ({ leaves }: Leaves, event: RoomEvent): void => {
  if (event.type === 'peer-left') leaves[event.reason] += 1;
  else if (event.type === 'room-ended' && event.for === 'all') leaves.ended += event.peers;
};

export const memoryStore = (limits: RegistryLimits, clock: () => number, counts: Leaves): Store => {
  const registry = new Registry(limits);
  const listeners = new Map<RoomName, Set<RoomListener>>();
  const claims = new Map<string, number>();
  let handedOver = false;
  /** What listeners have still to be told, the one under way first. */
  const untold: [RoomName, RoomLogEntry][] = [];
  const tell = (room: RoomName, entries: RoomLogEntry[]): void => {
    for (const { event } of entries) countLeaves(counts, event);
    // A listener may give a command itself: what follows from that is told once everyone knows what came before.
    const telling = untold.length > 0;
    for (const entry of entries) untold.push([room, entry]);
    if (!telling) tellAll();
  };
  const tellAll = (): void => {
    try {
      for (const [room, entry] of untold) for (const listener of listeners.get(room) ?? []) listener(entry);
    } finally {
      untold.length = 0;
    }
  };
  const commitNow = <T>(room: RoomName, command: Command<T>): Committed<T> | Refusal => {
    // What was kept here now would be kept nowhere.
    if (handedOver) return refuse('draining');
    const done = registry.commit(room, command, clock());
    if (!('refused' in done)) tell(room, done.entries);
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
    subscribe(room, listener) {
      const heard = listeners.get(room) ?? new Set();
      listeners.set(room, heard.add(listener));
      return () => {
        heard.delete(listener);
        if (heard.size === 0 && listeners.get(room) === heard) listeners.delete(room);
      };
    },
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
      for (const [room, entries] of registry.sweep(clock())) tell(room, entries);
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
