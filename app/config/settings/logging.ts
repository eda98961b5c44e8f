/** Settings: statistics and logging. */
import { formatFaults } from '../../logging/format.ts';
import { settingMetadata } from '../setting-metadata.ts';
import { address, choice, flag, integer, list, path, text } from '../value-types.ts';

const logFormat = text(/^[^\0\r\n]+$/, 'one line of text', 'TEXT').superRefine((format, context) => {
  for (const fault of formatFaults(format)) context.addIssue(fault);
});

export const reports = {
  stats: list(address).register(settingMetadata, {
    help: "serve statistics in uWSGI's JSON, for uwsgitop; :port = loopback",
    uwsgi: 'serves statistics as JSON; :port = every interface; shows cookies and credentials of running requests',
    differs: ':port is the loopback; never a variable of a request; our own numbers stand below "rooms"',
    also: ['stats-server'],
  }),
  'stats-http': list(address).register(settingMetadata, {
    help: 'serve statistics by HTTP: /stats as JSON and /metrics for Prometheus; :port = loopback',
    uwsgi: 'a switch that makes --stats speak HTTP, open to every web page',
    differs: 'takes addresses of its own; no CORS header; other names than localhost only by allowed-hosts',
  }),
  logto: path().optional().register(settingMetadata, {
    help: 'write log lines to this file; a new one is made with mode 0640',
    uwsgi: 'writes log lines to this file or UDP address',
    differs: 'files only',
  }),
  'touch-logreopen': list(path()).register(settingMetadata, {
    help: 'open the log file anew when one of these files changes or appears, for logrotate',
    uwsgi: 'the same, with log-master',
  }),
  'log-level': choice('trace', 'debug', 'info', 'warn', 'error', 'silent').default('info').register(settingMetadata, {
    help: 'least level of log lines',
  }),
  'log-json': flag().optional().register(settingMetadata, {
    help: 'one JSON object a line; false = lines for people to read. When not given: JSON, unless it goes to a terminal or log-format is given',
  }),
  'log-format': logFormat.optional().register(settingMetadata, {
    help: 'the line written for a request and for the opening and closing of a WebSocket, with %(method), %(uri), %(status), %(msecs), %(addr), %(room) and others; all else is written readably then',
    uwsgi: 'the line written for a request, with %(names)',
    differs: 'also %(room) %(peer) %(wsclose) %(reqid); unknown names are refused; values are shortened and escaped',
  }),
  'disable-logging': flag()
    .default(false)
    .register(settingMetadata, {
      help: 'no line for a request, but for those that log-4xx, log-5xx and log-slow ask for',
      uwsgi: 'the same',
      also: ['L'],
    }),
  'log-4xx': flag().default(false).register(settingMetadata, {
    help: 'with disable-logging: still a line for requests answered 400 to 499',
    uwsgi: 'the same',
  }),
  'log-5xx': flag().default(false).register(settingMetadata, {
    help: 'with disable-logging: still a line for requests answered 500 to 599',
    uwsgi: 'the same',
  }),
  'log-slow': integer(0, 86_400_000, 'MS').default(0).register(settingMetadata, {
    help: 'with disable-logging: still a line for requests that take more milliseconds than this; 0 = none',
    uwsgi: 'the same',
  }),
};
