/** The counters of one process: plain numbers, so that counting is an increment, and JSON carries them to other processes. */
import { z } from 'zod';
import { type ErrorCode, errors } from '../protocol/errors.ts';
import { clientMessage, leaveReason, type Numbered } from '../protocol/messages.ts';

/** Listeners for clients, by setting name, as used in counters and logs. */
export const listeners = ['http', 'http-socket', 'socket'] as const;
export type Listener = (typeof listeners)[number];

const statusClasses = ['1xx', '2xx', '3xx', '4xx', '5xx'] as const;

const errorCodes = Object.keys(errors) as [ErrorCode, ...ErrorCode[]];
const closes = errorCodes.flatMap((code) => ('close' in errors[code] ? [String(errors[code].close)] : []));
/** RFC 6455, section 7.4.1, and our own. A client may send any other from 3000 to 4999; those are counted together. */
const closeCodes = ['1000', '1001', '1002', '1003', '1005', '1006', '1007', '1008', '1009', '1011', ...closes];

const numbered = clientMessage.options.flatMap(({ shape }) => ('n' in shape ? [shape.type.value] : [])) as [
  Numbered['type'],
  ...Numbered['type'][],
];
const count = z.int().min(0);
export const counts = z.object({
  /** Peers that joined a room with a new session. */
  joins: count,
  /** Sessions resumed after a lost connection. */
  resumes: count,
  /** Sessions resumed after their missed events had been discarded. */
  rejoins: count,
  /** Departures by reason; `ended`: the whole room ended. */
  leaves: z.record(z.enum([...leaveReason.options, 'ended']), count),
  /** Numbered messages accepted by rooms, including recognised duplicates. */
  relayed: z.record(z.enum(numbered), count),
  refused: z.record(z.enum(errorCodes), count),
  webSockets: z.object({ opened: count, closes: z.record(z.string(), count) }),
  /** Event streams. */
  streams: z.object({ opened: count, closed: count }),
  requests: z.record(z.enum(listeners), z.record(z.enum(statusClasses), count)),
  /** Errors sent by the listeners themselves, before or instead of the app, by code. */
  refusals: z.record(z.enum(listeners), z.record(z.string(), count)),
  /** Answered requests, excluding WebSockets and event streams: `micros` is their total time, `recentMicros` a decaying mean (µs). */
  answers: z.object({ count, micros: count, recentMicros: count, bytes: count, failed: count }),
});
export type Counts = z.infer<typeof counts>;

export const zeroCounts = (): Counts => ({
  joins: 0,
  resumes: 0,
  rejoins: 0,
  leaves: zeros([...leaveReason.options, 'ended']),
  relayed: zeros(numbered),
  refused: zeros(errorCodes),
  webSockets: { opened: 0, closes: zeros([...closeCodes, 'other']) },
  streams: { opened: 0, closed: 0 },
  requests: { http: zeros(statusClasses), 'http-socket': zeros(statusClasses), socket: zeros(statusClasses) },
  refusals: { http: {}, 'http-socket': {}, socket: {} },
  answers: { count: 0, micros: 0, recentMicros: 0, bytes: 0, failed: 0 },
});

const zeros = <K extends string>(keys: readonly K[]): Record<K, number> => {
  const zero = {} as Record<K, number>;
  for (const key of keys) zero[key] = 0;
  return zero;
};

export const sumCounts = (all: Counts[]): Counts => {
  const total = zeroCounts();
  for (const one of all) addInto(total, one);
  return total;
};

type Numbers = { [name: string]: number | Numbers };
const addInto = (total: Numbers, one: Numbers): void => {
  for (const [name, value] of Object.entries(one)) {
    const current = total[name];
    if (typeof value !== 'number') {
      if (typeof current === 'object') addInto(current, value);
    } else total[name] = value + (typeof current === 'number' ? current : 0);
  }
};

export const countClose = ({ webSockets }: Counts, code: number): void => {
  const key = String(code) in webSockets.closes ? String(code) : 'other';
  webSockets.closes[key] = (webSockets.closes[key] ?? 0) + 1;
};

export const countRefusal = ({ refusals }: Counts, listener: Listener, code: string): void => {
  refusals[listener][code] = (refusals[listener][code] ?? 0) + 1;
};

/** Requests that exceeded `harakiri`. */
export const overdue = ({ refusals }: Counts): number =>
  Object.values(refusals).reduce((sum, codes) => sum + (codes.harakiri ?? 0), 0);

/** @param bytes of the body, 0 if unknown */
export const countAnswer = (
  counted: Counts,
  listener: Listener,
  status: number,
  micros: number,
  bytes: number,
): void => {
  countStatus(counted, listener, status);
  const { answers } = counted;
  answers.count += 1;
  answers.micros += micros;
  // As in uWSGI: the mean of the previous value and the latest.
  answers.recentMicros = Math.round((answers.recentMicros + micros) / 2);
  answers.bytes += bytes;
};

export const countStatus = ({ requests }: Counts, listener: Listener, status: number): void => {
  requests[listener][statusClasses[Math.trunc(status / 100) - 1] ?? '5xx'] += 1;
};
