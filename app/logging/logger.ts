/** The log: one pino logger that writes JSON or human-readable lines to stdout or to a file that can be reopened. */
import { type DestinationStream, type Level, type Logger, pino, type SerializedError } from 'pino';
import { compileFormat, type Formatter, type LogLine, readable } from './format.ts';
import { Output } from './output.ts';
import { redactFields, redactText } from './redact.ts';

type LogSettings = {
  'log-level': Level | 'silent';
  /** Absent: stdout. */
  logto?: string | undefined;
  /** Absent: JSON unless stdout is a terminal or `log-format` is set. */
  'log-json'?: boolean | undefined;
  /** Format of request lines; all other lines are then human-readable. */
  'log-format'?: string | undefined;
};

export type OpenLog = {
  logger: Logger;
  /** Call after the file was moved, for instance by logrotate; no line is lost or duplicated. Without a file it does nothing. */
  reopen(): void;
};

/** Messages of the access log; only these lines follow `log-format`. */
const accessMessages = ['request', 'WebSocket opened', 'WebSocket closed', 'event stream closed'] as const;

/**
 * Lines that cannot be written are lost and reported on stderr; once writing works again, their number is logged.
 * @param worker number of this worker, for %(wid), if there are several
 * @param mustOpen false: if the file cannot be opened now, each line tries again
 * @throws Error if the file cannot be opened, or the format has an unknown token
 */
export const openLog = (
  settings: LogSettings,
  { worker, mustOpen = true }: { worker?: number | undefined; mustOpen?: boolean } = {},
): OpenLog => {
  const { logto, 'log-format': format } = settings;
  const terminal = logto === undefined && process.stdout.isTTY === true;
  const json = format === undefined && (settings['log-json'] ?? !terminal);
  // Unbuffered: a buffered log would lose the last lines before a crash.
  const output = new Output(logto, (lost) => logger.warn({ lost }, 'log lines were lost'));
  if (mustOpen) output.open();
  const logger = createPino(settings, json ? output : formatted(output, format), worker);
  return { logger, reopen: () => output.reopen() };
};

export const createLogger = (settings: LogSettings): Logger => openLog(settings).logger;

/** Exported for tests, which read the output. */
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
  return { write: (line) => output.write(`${formatLine(line, request)}\n`) };
};

const formatLine = (json: string, request: Formatter | undefined): string => {
  const entry = parseEntry(json);
  const isAccess = accessMessages.some((message) => message === entry.msg);
  return request && isAccess ? request({ pid: process.pid, ...entry }) : readable(entry);
};

const parseEntry = (json: string): LogLine => {
  const entry: unknown = JSON.parse(json);
  return typeof entry === 'object' && entry !== null ? { ...entry } : {};
};
