/** Timeouts and delays of the library. */

/** Milliseconds. */
export type Timing = {
  /** Silence after which the server is pinged. */
  ping: number;
  /** Timeout of the response to `join`, to `ping` or to an HTTP request. */
  answer: number;
  /** Timeout for `joined` over a WebSocket and for the start of a stream; also the time without failure that counts as recovered. */
  opening: number;
  /** Delay before plain HTTP tries a WebSocket again, and polling a stream; doubles up to ten minutes. */
  climb: number;
  /** The first reconnect delay; doubles up to `longest`. */
  backoff: number;
  longest: number;
};

/** Milliseconds between two samples of the connection statistics of each link. */
export const defaultStatsInterval = 3_000;

export const defaultTiming: Timing = {
  ping: 20_000,
  answer: 10_000,
  opening: 5_000,
  climb: 30_000,
  backoff: 300,
  longest: 8_000,
};
