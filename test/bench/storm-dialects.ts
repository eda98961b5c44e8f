/** What the clients of `storm-load.ts` speak, and how each client library of that kind comes back. */
import { Backoff } from '../../app/client/backoff.ts';
import { browserClock } from '../../app/client/clock.ts';
import { defaultTiming } from '../../app/client/timeouts.ts';

export type DialectName = 'genkan' | 'socket.io' | 'bare';

/** What a client keeps over its connections. `unsettled`: texts that may have to be sent again, the oldest first. */
export type Memory = { n: number; session: string; last: string; unsettled: { n: number; text: string }[] };

/** What a received frame means. `back`: the client is in its room, and `recovered` tells whether as the same peer. */
export type Heard =
  | { type: 'back'; recovered: boolean }
  | { type: 'text'; text: string }
  | { type: 'refused'; code: string; final: boolean; retry: number }
  | { type: 'reply'; frame: string }
  | undefined;

export type Dialect = {
  url(room: string): string;
  subprotocol: string[];
  /** ms to wait after a lost connection or a failed attempt. */
  backoff(): { next(retry: number): number; succeeded(): void };
  /** What to send once the WebSocket is open; a client without it is back as soon as it is open. */
  greeting?(memory: Memory): string;
  read(frame: string, memory: Memory): Heard;
  write(n: number, text: string): string;
  /** Whether texts are kept until they are acknowledged. Otherwise they are forgotten when they are written. */
  acknowledges: boolean;
};

const libraryBackoff = () => new Backoff(browserClock, defaultTiming);

/** reconnectionDelay, reconnectionDelayMax and randomizationFactor of socket.io-client. */
const socketIoBackoff = () => {
  let attempts = 0;
  return {
    next: () => Math.min(5000, 1000 * 2 ** attempts++ * (0.5 + Math.random())),
    succeeded: () => {
      attempts = 0;
    },
  };
};

export const dialects: Record<DialectName, Dialect> = {
  genkan: {
    url: (room) => `/rooms/${room}/ws?room=${room}`,
    subprotocol: ['genkan.v1'],
    backoff: libraryBackoff,
    greeting: ({ session, last }) =>
      JSON.stringify({ type: 'join', ...(session === '' ? {} : { session, after: Number(last) }) }),
    read(frame, memory) {
      const message = JSON.parse(frame);
      if (message.type === 'joined') {
        if (!message.recovered) {
          // The numbers of a new join begin at 1.
          memory.n = 0;
          for (const one of memory.unsettled) one.n = ++memory.n;
          memory.last = String(message.seq);
        }
        memory.session = message.session;
        return { type: 'back', recovered: message.recovered };
      }
      if (message.seq > Number(memory.last)) memory.last = String(message.seq);
      if (message.type === 'ack') memory.unsettled = memory.unsettled.filter(({ n }) => n > message.n);
      if (message.type === 'bye' || message.type === 'error')
        return {
          type: 'refused',
          code: message.code,
          final: message.type === 'bye' && message.retry === null,
          retry: message.retry ?? 0,
        };
      return message.type === 'chat' ? { type: 'text', text: message.text } : undefined;
    },
    write: (n, text) => JSON.stringify({ type: 'chat', n, text }),
    acknowledges: true,
  },
  // https://socket.io/docs/v4/socket-io-protocol/ over https://socket.io/docs/v4/engine-io-protocol/
  'socket.io': {
    url: (room) => `/socket.io/?EIO=4&transport=websocket&room=${room}`,
    subprotocol: [],
    backoff: socketIoBackoff,
    read(frame, memory) {
      const [kind, body] = [frame.slice(0, 2), frame.slice(2)];
      if (frame[0] === '0') {
        const { session: pid, last: offset } = memory;
        return { type: 'reply', frame: `40${pid === '' ? '' : JSON.stringify({ pid, offset })}` };
      }
      if (frame === '2') return { type: 'reply', frame: '3' };
      if (kind === '40') {
        const { pid } = JSON.parse(body);
        const recovered = pid === memory.session;
        memory.session = pid;
        return { type: 'back', recovered };
      }
      if (kind === '44') return { type: 'refused', code: 'connect_error', final: false, retry: 0 };
      if (kind !== '42') return undefined;
      const [, text, offset = ''] = JSON.parse(body);
      memory.last = offset;
      return { type: 'text', text };
    },
    write: (_, text) => `42${JSON.stringify(['chat', text])}`,
    acknowledges: false,
  },
  bare: {
    url: (room) => `/?room=${room}`,
    subprotocol: [],
    backoff: libraryBackoff,
    read: (frame) => ({ type: 'text', text: JSON.parse(frame).text }),
    write: (n, text) => JSON.stringify({ type: 'chat', n, text }),
    acknowledges: false,
  },
};
