/**
 * The access log: which requests, WebSockets (opened, closed, rejected) and closed event streams get a line. The callers provide the
 * fields: web/request-log.ts and signaling/transports/.
 */

import type { Streams } from '../signaling/transports/event-requests.ts';
import type { Opened, WebSocketLog } from '../signaling/transports/websocket.ts';
import type { Answered, RequestLog } from '../web/request-log.ts';
import { shorten } from './format.ts';
import { redactUrl } from './redact.ts';

export type AccessSettings = {
  'disable-logging': boolean;
  'log-4xx': boolean;
  'log-5xx': boolean;
  /** ms; 0 = off. */
  'log-slow': number;
};

type AccessLog = WebSocketLog & Streams & RequestLog;

type AccessLogger = { isLevelEnabled(level: 'info'): boolean; info(fields: object, message: string): void };

export const createAccessLog = (log: AccessLogger, settings: AccessSettings): AccessLog => {
  const all = !settings['disable-logging'];
  const selected = createFilter(settings);
  return {
    wants: (status, us) => log.isLevelEnabled('info') && (all || selected(status, us)),
    answered(entry) {
      const { us, method, host, url, agent, referer, ...rest } = entry;
      // A client may send a head of 64 kB with every request, and would fill the disk with it.
      const texts = {
        ...{ method: shorten(method), host: shorten(host), url: shorten(redactUrl(url)) },
        ...(agent === undefined ? {} : { agent: shorten(agent) }),
        ...(referer === undefined ? {} : { referer: shorten(redactUrl(referer)) }),
      };
      log.info({ ...rest, ...texts, ms: us / 1000 }, 'request');
    },
    opened(entry) {
      if (all) log.info({ ...entry, ...handshake(entry) }, 'WebSocket opened');
    },
    closed({ us, ...entry }) {
      if (all) log.info({ ...entry, ...handshake(entry), ms: us / 1000 }, 'WebSocket closed');
    },
    turnedAway(entry) {
      if (all) log.info({ ...entry, method: 'GET', status: 101 }, 'WebSocket rejected');
    },
    streamed({ us, ...entry }) {
      if (all) log.info({ ...entry, ...streaming(entry), ms: us / 1000 }, 'event stream closed');
    },
  };
};

const streaming = ({ room }: Pick<Opened, 'room'>) => ({
  method: 'GET',
  url: `/rooms/${encodeURIComponent(room)}/events`,
  status: 200,
});

const handshake = ({ room }: Opened) => ({ method: 'GET', url: `/rooms/${encodeURIComponent(room)}/ws`, status: 101 });

/** Which requests are logged despite `disable-logging`. */
const createFilter = (settings: AccessSettings) => {
  const slow = settings['log-slow'] > 0 ? settings['log-slow'] * 1000 : Number.POSITIVE_INFINITY;
  return (status: Answered['status'], us: Answered['us']): boolean =>
    (settings['log-4xx'] && status >= 400 && status < 500) || (settings['log-5xx'] && status >= 500) || us > slow;
};
