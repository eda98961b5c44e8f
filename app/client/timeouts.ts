/** How long the library waits for what. */

/** Milliseconds. */
export type Timing = {
  /** Silence after which the server is asked for a sign of life. */
  ping: number;
  /** How long an answer to `join`, to `ping` or to a request may take. */
  answer: number;
  /** How long a WebSocket may take until `joined` comes over it, and a stream until it begins; also how long something must work to count as recovered. */
  opening: number;
  /** How long plain HTTP serves before a WebSocket is tried again, and polls before a stream; it doubles up to ten minutes. */
  climb: number;
  /** The first delay after a lost connection; it doubles up to `longest`. */
  backoff: number;
  longest: number;
};

/** Milliseconds between two looks at the paths to the others: how good they are, and how much they carry. */
export const defaultStatsInterval = 3_000;

export const defaultTiming: Timing = {
  ping: 20_000,
  answer: 10_000,
  opening: 5_000,
  climb: 30_000,
  backoff: 300,
  longest: 8_000,
};
