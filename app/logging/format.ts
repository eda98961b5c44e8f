/** Lines for people: uWSGI's `%(token)` formats for requests, and one line for everything else. Text in, text out. */

/** A log entry as the logger makes it: JSON, parsed again. */
export type LogLine = Readonly<Record<string, unknown>>;
export type Formatter = (entry: LogLine) => string;

/** uWSGI's tokens that are known here, and ours; each names the entry's field, or makes the value from the entry. */
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

/** What is wrong with a format; a sentence for each token that is not known. */
export const formatFaults = (format: string): string[] =>
  [...format.matchAll(/%\(([^)]*)\)/g)].flatMap(([whole, token = '']) =>
    Object.hasOwn(tokens, token)
      ? []
      : [
          `${whole} is not known here; there are ${Object.keys(tokens)
            .map((name) => `%(${name})`)
            .join(' ')}`,
        ],
  );

/** @throws Error when a token is not known */
export const compileFormat = (format: string): Formatter => {
  const [fault] = formatFaults(format);
  if (fault !== undefined) throw new Error(`log-format: ${fault}`);
  // Text and tokens in turn, beginning with text.
  const parts = format.split(/%\(([^)]*)\)/);
  return (entry) =>
    parts.map((part, index) => (index % 2 === 0 ? part : shown(valueFor(tokens[part], entry)))).join('');
};

/** `time level message key=value …`; a request's line has its own order. */
export const readable: Formatter = (entry) => {
  const { time, level, msg, err, ...fields } = entry;
  const when = typeof time === 'number' ? new Date(time).toISOString() : '-';
  const details = Object.entries(fields).map(([name, value]) => `${name}=${shown(value)}`);
  return [when, levelName(level), escaped(String(msg ?? '-')), ...details, ...errorText(err)].join(' ');
};

const valueFor = (token: string | ((entry: LogLine) => unknown) | undefined, entry: LogLine): unknown =>
  typeof token === 'function' ? token(entry) : token === undefined ? undefined : entry[token];

/** Characters of one value that are shown. */
const cap = 512;
const shown = (value: unknown): string => {
  if (value === undefined || value === null || value === '') return '-';
  return escaped(typeof value === 'object' ? JSON.stringify(value) : String(value));
};

/** Nobody can end the line, begin another or close a quotation with what they send. */
const escaped = (text: string): string => {
  const short = text.length > cap ? `${text.slice(0, cap)}…` : text;
  return short.replace(/[\p{Cc}\p{Cf}\u2028\u2029"\\]/gu, (character) =>
    character === '"' || character === '\\'
      ? `\\${character}`
      : `\\u${(character.codePointAt(0) ?? 0).toString(16).padStart(4, '0')}`,
  );
};

const levels: Record<number, string> = { 10: 'TRACE', 20: 'DEBUG', 30: 'INFO', 40: 'WARN', 50: 'ERROR', 60: 'FATAL' };
const levelName = (level: unknown): string => (typeof level === 'number' ? (levels[level] ?? String(level)) : '-');

/** An error as the logger writes it; its stack follows on lines of their own, indented. */
const errorText = (err: unknown): string[] => {
  if (err === undefined) return [];
  if (typeof err !== 'object' || err === null || !('stack' in err)) return [`err=${shown(err)}`];
  const lines = String(err.stack).split('\n').map(escaped);
  return [`err=${lines.join('\n    ')}`];
};
