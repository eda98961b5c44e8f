/** The log: one pino logger, as JSON or as lines for people, on stdout or in a file that can be opened anew. */
import { type DestinationStream, type Level, type Logger, pino, type SerializedError } from 'pino';
import { compileFormat, type Formatter, type LogLine, readable } from './format.ts';
import { Output } from './output.ts';
import { redactFields, redactText } from './redact.ts';

export type LogSettings = {
  'log-level': Level | 'silent';
  /** Absent: stdout. */
  logto?: string | undefined;
  /** Absent: JSON unless stdout is a terminal or there is a `log-format`. */
  'log-json'?: boolean | undefined;
  /** The line of a request; everything else is written readably then. */
  'log-format'?: string | undefined;
};

export type Log = {
  logger: Logger;
  /** After the file was moved away, by logrotate for instance; nothing is lost or written twice. Without a file: nothing. */
  reopen(): void;
};

/** What requests and WebSockets are logged as; only those lines follow `log-format`. */
export const accessMessages = ['request', 'WebSocket opened', 'WebSocket closed', 'event stream closed'] as const;

/**
 * A line that cannot be written is lost and told on stderr; how many they were is logged once lines can be written again.
 * @param worker its number, for %(wid), when there are several
 * @param mustOpen false: a file that cannot be opened now is tried again with each line
 * @throws Error when the file cannot be opened, or the format has an unknown token
 */
export const openLog = (
  settings: LogSettings,
  { worker, mustOpen = true }: { worker?: number | undefined; mustOpen?: boolean } = {},
): Log => {
  const { logto, 'log-format': format } = settings;
  const terminal = logto === undefined && process.stdout.isTTY === true;
  const json = format === undefined && (settings['log-json'] ?? !terminal);
  // Written at once: a log that waits in memory misses what was said just before the end.
  const output = new Output(logto, (lost) => logger.warn({ lost }, 'lines of the log were lost'));
  if (mustOpen) output.open();
  const logger = createPino(settings, json ? output : formatted(output, format), worker);
  return { logger, reopen: () => output.reopen() };
};

export const createLogger = (settings: LogSettings): Logger => openLog(settings).logger;

/** For tests as well, which read what is written. */
export const createPino = (settings: LogSettings, output: DestinationStream, worker?: number): Logger =>
  pino(
    {
      level: settings['log-level'],
      base: worker === undefined ? null : { wid: worker },
      formatters: { log: redactFields },
      serializers: { err: serializeError },
    },
    output,
  );

const serializeError = (error: unknown): unknown => {
  if (!(error instanceof Error)) return typeof error === 'string' ? redactText(error) : error;
  const plain: SerializedError = pino.stdSerializers.err(error);
  const { message, stack, type } = plain;
  return { ...redactFields({ ...plain }), type, message: redactText(message), stack: redactText(stack) };
};

const formatted = (output: DestinationStream, format: string | undefined): DestinationStream => {
  const request = format === undefined ? undefined : compileFormat(format);
  return { write: (line) => output.write(`${lineOf(line, request)}\n`) };
};

const lineOf = (json: string, request: Formatter | undefined): string => {
  const entry = entryOf(json);
  const isAccess = accessMessages.some((message) => message === entry.msg);
  return request && isAccess ? request({ pid: process.pid, ...entry }) : readable(entry);
};

const entryOf = (json: string): LogLine => {
  const entry: unknown = JSON.parse(json);
  return typeof entry === 'object' && entry !== null ? { ...entry } : {};
};
