/** What the rest of the library sees of the signaling connection. */
import type { ErrorCode } from '../protocol/errors.ts';
import type { Joined, PeerId, ServerMessage, Waiting } from '../protocol/messages.ts';
import type { Source } from './events.ts';

/**
 * `connecting`: not joined yet. `waiting`: in the lobby until a host admits; `host`: whether one is present. `reconnecting`: the
 * session may still exist. `attempt`: the number of attempts since.
 */
export type ConnectionState =
  | { state: 'connecting'; attempt: number; because?: ErrorCode }
  | { state: 'waiting'; host: boolean }
  | { state: 'joined' }
  | { state: 'reconnecting'; attempt: number; because?: ErrorCode }
  | { state: 'closed'; code: ErrorCode };

/** An event of the room; each is emitted once, in the order of `seq`. */
export type RoomEvent = Exclude<Extract<ServerMessage, { seq: number }>, Joined | Waiting | Reached>;
type Reached = Extract<ServerMessage, { type: 'reached' }>;

export type ConnectionEvents = {
  state: ConnectionState;
  /** The room was joined (`recovered: false`: discard all state) or the session resumed (`recovered: true`). */
  joined: Joined;
  event: RoomEvent;
  /** Replaces the ICE servers of `joined`, whose credentials are about to expire. */
  ice: Joined['ice'];
  /** A message was refused permanently; the connection continues. */
  refused: { code: ErrorCode; message: string };
  /** The first message of a connection that was ignored as malformed. */
  warning: Error;
};

/** The part of Connection that the mesh uses. */
export type Signaling = Source<ConnectionEvents> & {
  readonly state: ConnectionState;
  signal(to: PeerId, epoch: number, data: NonNullable<unknown>): unknown;
};
