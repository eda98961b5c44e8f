/** What every transport needs: the store, the budgets, the limits and the counters. */
import type { Sessions } from '../auth/session.ts';
import type { IceSet } from '../auth/turn.ts';
import type { SeatBudgets, SeatLimits } from '../budgets/seat-budgets.ts';
import type { TurnShares } from '../budgets/turn-shares.ts';
import type { UnsentBytes } from '../budgets/unsent-bytes.ts';
import type { RefusedTo } from '../listener/refused-addresses.ts';
import type { PeerId } from '../protocol/messages.ts';
import type { Rules } from '../rooms/room.ts';
import type { Counts } from '../stats/counters.ts';
import type { Store } from '../store/store.ts';
import type { AuthorizationContext } from './authorize.ts';
import type { Fanout } from './fanout.ts';

/** What a client that has not joined may learn about a room. */
export type OccupancyDetail = 'nothing' | 'count' | 'names';

export type SignalingLimits = SeatLimits & {
  rules: Rules;
  /** Bytes of one message. */
  messageBytes: number;
  /** Bytes that may be buffered for a receiver that does not read. */
  unsentBytes: number;
  /** ms from the opening of a connection to `join`. */
  joinTimeout: number;
  /** ms between two requests of a peer on plain HTTP. */
  pollGrace: number;
  /** Longest wait of a long poll (ms). */
  pollWait: number;
  /** ms without output after which an event stream sends a heartbeat. */
  heartbeat: number;
  /** ms between WebSocket pings; also the timeout for the pong. */
  pingInterval: number;
  /** Longest time for which a client may suppress pings before it joins (ms). */
  maxQuiet: number;
  /** ms over which acknowledgements are batched. */
  ackDelay: number;
  /** What the lobby reveals about the peers in a room. */
  lobbyShows: OccupancyDetail;
};

/** What every transport needs. */
export type Signaling = AuthorizationContext & {
  store: Store;
  sessions: Sessions;
  fanout: Fanout;
  /** Budgets of the seats, for messages sent and for events replayed. */
  seats: SeatBudgets;
  /** What each network may have done in a turn of the event loop. */
  turns: TurnShares;
  /** The budget for bytes buffered for receivers that do not read, by network and in total. */
  unsent: UnsentBytes;
  limits: SignalingLimits;
  /** The ICE servers for a peer whose client is in `network`; `now` in ms since 1970. */
  ice: (peer: PeerId, network: string | undefined, now: number) => IceSet;
  log: { info(fields: object, message: string): void; warn(fields: object, message: string): void };
  /** Incremented in place, because counting must stay cheap where messages are relayed. */
  counts: Counts;
  /** Called for each refusal that a client at this address has caused. */
  refusedTo: RefusedTo;
  /** Called for one message of 64 with the time from its arrival until it was stored and sent to its receivers. */
  settled(seconds: number): void;
};
