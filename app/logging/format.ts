/** Human-readable log lines: uWSGI's `%(token)` formats for requests, and one format for everything else. Pure functions. */

/** A log entry: the logger's JSON, parsed. */
export type LogLine = Readonly<Record<string, unknown>>;
export type Formatter = (entry: LogLine) => string;

/** The supported uWSGI tokens, and our own: each maps to a field of the entry, or computes the value. */
const tokens: Record<string, string | ((entry: LogLine) => unknown)> = {
  method: 'method',
  uri: 'url',
  status: 'status',
  msecs: ({ ms }) => (typeof ms === 'number' ? Math.round(ms) : undefined),
  micros: ({ ms }) => (typeof ms === 'number' ? Math.round(ms * 1000) : undefined),
  addr: 'ip',
  host: 'host',
  pid: 'pid',
  wid: 'wid',
  size: 'bytes',
  proto: 'protocol',
  uagent: 'agent',
  referer: 'referer',
  time: ({ time }) => (typeof time === 'number' ? new Date(time).toISOString() : undefined),
  epoch: ({ time }) => (typeof time === 'number' ? Math.floor(time / 1000) : undefined),
  reqid: 'reqId',
  room: 'room',
  peer: 'peer',
  wsclose: 'closeCode',
};

/** Errors in a format: one message per unknown token. */
export const formatFaults = (format: string): string[] =>
  [...format.matchAll(/%\(([^)]*)\)/g)].flatMap(([whole, token = '']) =>
    Object.hasOwn(tokens, token)
      ? []
      : [
          `${whole} is unknown; available: ${Object.keys(tokens)
            .map((name) => `%(${name})`)
            .join(' ')}`,
        ],
  );

/** @throws Error if a token is unknown */
export const compileFormat = (format: string): Formatter => {
  const [fault] = formatFaults(format);
  if (fault !== undefined) throw new Error(`log-format: ${fault}`);
  // Text and tokens alternate, starting with text.
  const parts = format.split(/%\(([^)]*)\)/);
  return (entry) =>
    parts.map((part, index) => (index % 2 === 0 ? part : formatValue(valueFor(tokens[part], entry)))).join('');
};

/** `time level message key=value …`. */
export const readable: Formatter = (entry) => {
  const { time, level, msg, err, ...fields } = entry;
  const when = typeof time === 'number' ? new Date(time).toISOString() : '-';
  const details = Object.entries(fields).map(([name, value]) => `${name}=${formatValue(value)}`);
  return [when, levelName(level), escapeValue(String(msg ?? '-')), ...details, ...errorText(err)].join(' ');
};

const valueFor = (token: string | ((entry: LogLine) => unknown) | undefined, entry: LogLine): unknown =>
  typeof token === 'function' ? token(entry) : token === undefined ? undefined : entry[token];

/** Maximum characters of a value that a client chose. */
const maxLength = 512;
export const shorten = (text: string): string => (text.length > maxLength ? `${text.slice(0, maxLength)}…` : text);

const formatValue = (value: unknown): string => {
  if (value === undefined || value === null || value === '') return '-';
  return escapeValue(typeof value === 'object' ? JSON.stringify(value) : String(value));
};

/** Prevents log injection: a value cannot end the line, start another or close a quotation. */
const escapeValue = (text: string): string => {
  return shorten(text).replace(/[\p{Cc}\p{Cf}\u2028\u2029"\\]/gu, (character) =>
    character === '"' || character === '\\'
      ? `\\${character}`
      : `\\u${(character.codePointAt(0) ?? 0).toString(16).padStart(4, '0')}`,
  );
};

const levels: Record<number, string> = { 10: 'TRACE', 20: 'DEBUG', 30: 'INFO', 40: 'WARN', 50: 'ERROR', 60: 'FATAL' };
const levelName = (level: unknown): string => (typeof level === 'number' ? (levels[level] ?? String(level)) : '-');

/** An error with its stack on indented lines. */
const errorText = (err: unknown): string[] => {
  if (err === undefined) return [];
  if (typeof err !== 'object' || err === null || !('stack' in err)) return [`err=${formatValue(err)}`];
  const lines = String(err.stack).split('\n').map(escapeValue);
  return [`err=${lines.join('\n    ')}`];
};
