/** Where rooms live: the contract every store keeps, and the store that is this process's own memory. */
import type { Refusal } from '../protocol/errors.ts';
import type { LeaveReason, RoomName } from '../protocol/messages.ts';
import type { Entry } from '../rooms/log.ts';
import { Registry, type RegistryLimits } from '../rooms/registry.ts';
import type { Command } from '../rooms/room.ts';

/** `seq`: the number of the room's last event once the command was carried out. */
export type Committed<T> = { seq: number; result: T };
export type Listener = (entry: Entry) => void;

export interface Store {
  /**
   * Runs a command on the room and stores and numbers what it returns; resolves when that is kept. Commands given for
   * one room are carried out in the order they were given.
   */
  commit<T>(room: RoomName, command: Command<T>): Promise<Committed<T> | Refusal>;
  /** The room's events after a number; `gone` when they are not all kept any more. */
  since(room: RoomName, after: number): Promise<Entry[] | 'gone'>;
  /** Hears every event of a room from now on, in order, until the returned function is called. */
  subscribe(room: RoomName, listener: Listener): () => void;
  /** Takes a key for one's own until `until` (ms since 1970); false when somebody has it. */
  claim(key: string, until: number): Promise<boolean>;
  /** Gives a key back that was taken in vain. */
  release(key: string): Promise<void>;
  /** Lets time pass, in every room. */
  sweep(): Promise<void>;
  count(): { rooms: number; peers: number };
}

/** Who left, incremented in place. */
type Leaves = { leaves: Record<LeaveReason | 'ended', number> };

export const memoryStore = (limits: RegistryLimits, clock: () => number, { leaves }: Leaves): Store => {
  const registry = new Registry(limits);
  const listeners = new Map<RoomName, Set<Listener>>();
  const claims = new Map<string, number>();
  /** What listeners have still to be told, the one under way first. */
  const untold: [RoomName, Entry][] = [];
  const tell = (room: RoomName, entries: Entry[]): void => {
    for (const { event } of entries) {
      if (event.type === 'peer-left') leaves[event.reason] += 1;
      else if (event.type === 'room-ended' && event.for === 'all') leaves.ended += event.peers;
    }
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
  return {
    async commit(room, command) {
      const done = registry.commit(room, command, clock());
      if ('refused' in done) return done;
      tell(room, done.entries);
      return done;
    },
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
      for (const [key, until] of claims) if (until <= clock()) claims.delete(key);
      for (const [room, entries] of registry.sweep(clock())) tell(room, entries);
    },
    count: () => registry.count(),
  };
};
