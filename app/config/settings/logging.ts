/** Settings: statistics and logging. */
import { formatFaults } from '../../logging/format.ts';
import { settingMetadata } from '../setting-metadata.ts';
import { address, choice, flag, integer, list, path, text } from '../value-types.ts';

const logFormat = text(/^[^\0\r\n]+$/, 'one line of text', 'TEXT').superRefine((format, context) => {
  for (const fault of formatFaults(format)) context.addIssue(fault);
});

export const reports = {
  stats: list(address).register(settingMetadata, {
    help: "serve statistics in uWSGI's JSON format, for uwsgitop; :port = loopback",
    common: true,
    uwsgi: 'serves statistics as JSON; :port = every interface; shows cookies and credentials of running requests',
    differs: ':port is loopback; never shows variables of requests; Genkan adds its own numbers under "rooms"',
    also: ['stats-server'],
  }),
  'stats-http': list(address).register(settingMetadata, {
    help: 'serve statistics over HTTP: /stats as JSON and /metrics for Prometheus; :port = loopback',
    common: true,
    uwsgi: 'makes --stats speak HTTP, readable by every web page',
    differs: 'takes its own addresses; no CORS header; names other than localhost only if in allowed-hosts',
  }),
  logto: path().optional().register(settingMetadata, {
    help: 'write log lines to this file, created with mode 0640',
    common: true,
    uwsgi: 'writes log lines to this file or UDP address',
    differs: 'files only',
  }),
  'touch-logreopen': list(path()).register(settingMetadata, {
    help: 'reopen the log file when one of these files changes or appears, for logrotate',
    uwsgi: 'the same, with log-master',
  }),
  'log-level': choice('trace', 'debug', 'info', 'warn', 'error', 'silent').default('info').register(settingMetadata, {
    help: 'minimum level of log lines',
    common: true,
  }),
  'log-json': flag().optional().register(settingMetadata, {
    help: 'one JSON object per line; false = human-readable lines. When not set: JSON, unless the log goes to a terminal or log-format is set',
    common: true,
  }),
  'log-format': logFormat.optional().register(settingMetadata, {
    help: 'format of the line for a request and for the opening and closing of a WebSocket, with %(method), %(uri), %(status), %(msecs), %(addr), %(room) and others; all other lines are then human-readable',
    uwsgi: 'format of the line for a request, with %(names)',
    differs: 'also %(room) %(peer) %(wsclose) %(reqid); unknown names are rejected; values are shortened and escaped',
  }),
  'disable-logging': flag()
    .default(false)
    .register(settingMetadata, {
      help: 'do not log requests, except as set by log-4xx, log-5xx and log-slow',
      common: true,
      uwsgi: 'the same',
      also: ['L'],
    }),
  'log-4xx': flag().default(false).register(settingMetadata, {
    help: 'with disable-logging: still log requests answered with 400 to 499',
    uwsgi: 'the same',
  }),
  'log-5xx': flag().default(false).register(settingMetadata, {
    help: 'with disable-logging: still log requests answered with 500 to 599',
    uwsgi: 'the same',
  }),
  'log-slow': integer(0, 86_400_000, 'MS').default(0).register(settingMetadata, {
    help: 'with disable-logging: still log requests that take longer than this, in milliseconds; 0 = none',
    uwsgi: 'the same',
  }),
};
