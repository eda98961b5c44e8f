/** Runs a batch of queued commands on a copy of their room. */
import type { Refusal } from '../protocol/errors.ts';
import { type Command, carryOut, type Decision, type Room, type RoomEvent } from '../rooms/room.ts';
import { copyOf } from './room-codec.ts';
import type { Committed } from './store.ts';

/** A queued command and its promise. */
export type Task = {
  command: Command<unknown>;
  insist: boolean;
  /** May run in a full store, because it frees memory: a peer leaves. */
  frees: boolean;
  resolve: (outcome: Committed<unknown> | Refusal) => void;
  reject: (error: unknown) => void;
};

/** `readsAccepted`: a decision depends on fields that other workers may change without a new version. */
export type Attempt = {
  at: number;
  room: Room;
  tasks: Task[];
  decisions: Decision<unknown>[];
  events: RoomEvent[];
  readsAccepted: boolean;
};

/** Runs the commands on a copy, one after the other. If one throws it is rejected, and the others start over. */
export const attempt = (base: Room, tasks: Task[], at: number): Attempt => {
  const room = copyOf(base);
  const decisions: Decision<unknown>[] = [];
  for (const task of tasks) {
    try {
      decisions.push(carryOut(room, task.command, at));
    } catch (error) {
      task.reject(error);
      return attempt(
        base,
        tasks.filter((other) => other !== task),
        at,
      );
    }
  }
  const events = decisions.flatMap((decision) => ('refused' in decision ? [] : decision.events));
  const readsAccepted = decisions.some((decision) => 'refused' in decision || decision.events.length === 0);
  return { at, room, tasks, decisions, events, readsAccepted };
};
