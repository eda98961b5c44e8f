/** The interface of room stores. */
import type { Holding } from '../budgets/address-budgets.ts';
import type { Refusal } from '../protocol/errors.ts';
import type { LeaveReason, RoomName } from '../protocol/messages.ts';
import type { RoomLogEntry } from '../rooms/event-log.ts';
import type { Command, RoomEvent } from '../rooms/room.ts';

/** `seq`: the number of the room's last event after the command. */
export type Committed<T> = { seq: number; result: T };
export type RoomListener = (entry: RoomLogEntry) => void;

export interface Store {
  /** Id of this process among those that share the store; absent if the store is not shared. */
  readonly worker?: string;
  /**
   * Runs a command on the room, and numbers and stores its events; resolves once they are stored. Commands on one room run in call
   * order; a command may run again, on another copy of the room. While the store is unavailable, a command is refused, or with
   * `insist` it waits.
   */
  commit<T>(room: RoomName, command: Command<T>, insist?: 'insist'): Promise<Committed<T> | Refusal>;
  /** Synchronous `commit` of an unshared store. If the store has `flush`, events are stored and delivered at the end of this turn. */
  commitNow?<T>(room: RoomName, command: Command<T>): Committed<T> | Refusal;
  /**
   * Stores what was committed so far, if that did not happen yet. Absent if it always has.
   * @returns false if it cannot be stored now; then nothing of it may be acknowledged
   */
  flush?(): boolean;
  /** The room's events after a number; refused as `events-gone` if some are no longer kept. */
  since(room: RoomName, after: number): Promise<RoomLogEntry[] | Refusal>;
  /**
   * Delivers every event of a room from now on, once and in order, starting before the next request of this process takes effect,
   * until the returned function is called. An event that `since` returned may be delivered too; compare numbers. `lost` is called
   * if the store has lost the room's state, and possibly events.
   */
  subscribe(room: RoomName, listener: RoomListener, lost?: () => void): () => void;
  /** Claims a key until `until` (ms since 1970); false if it is already claimed. */
  claim(key: string, until: number): Promise<boolean | Refusal>;
  /** Releases a claimed key that was not used. */
  release(key: string): Promise<void>;
  /** Applies timeouts in every room. */
  sweep(): Promise<void>;
  /** Rooms and peers of this process. */
  count(): { rooms: number; peers: number };
  /** Bytes kept by rooms, as counted against the budget of this process. */
  keptBytes(): number;
  /** Rooms and seats that this process knows, by the network of the client that opened or took them. */
  holdings(): Map<string, Holding>;
  /** Exports an unshared store as JSON parts; from then on commands are refused. */
  handOver?(): Iterable<unknown>;
  /** Frees memory of an unshared store by dropping what is dispensable. */
  shed?(): void;
  /** Imports a part that `handOver` of another store exported. @throws if it cannot be read */
  adopt?(part: unknown): void;
  /** Reads what an earlier process has kept; called once its predecessor has handed over. @throws if that is impossible */
  open?(): Promise<void>;
  /** Why no room may be opened now; absent or undefined if one may. */
  shortage?(): Refusal | undefined;
  /** Whether rooms can be read and written now. */
  ready(): boolean;
  close(): Promise<void>;
}

/** Counters of peers that left, incremented in place. */
export type Leaves = { leaves: Record<LeaveReason | 'ended', number> };

export const countLeaves = ({ leaves }: Leaves, event: RoomEvent): void => {
  if (event.type === 'peer-left') leaves[event.reason] += 1;
  else if (event.type === 'room-ended' && event.for === 'all') leaves.ended += event.peers;
};
