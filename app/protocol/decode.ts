/** Text from a client → a message, or the refusal that says what was wrong and where. */
import { z } from 'zod';
import { type Refusal, refuse } from './errors.ts';
import { most } from './limits.ts';
import { type ClientMessage, clientMessage } from './messages.ts';
import { isDeeper, nestsDeeper } from './nesting.ts';

/** A signal as the server carries it: `data` stays the JSON text that the sender wrote. */
export type UnreadSignal = { type: 'signal'; n: number; to: string; epoch: number; data: string };
/** A message that means nothing here, while its number can be read: the refusal settles that number. */
export type Malformed = { type: 'malformed'; n: number; refusal: Refusal };
export type Incoming = Exclude<ClientMessage, { type: 'signal' }> | UnreadSignal | Malformed;

/** A refusal is returned only where no number can be read. */
export const decode = (text: string): Incoming | Refusal => {
  if (nestsDeeper(text, most.depth)) return tooDeep(parseJson(text));
  const quick = quickSignal(text);
  if (quick) return quick;
  const parsed = parseJson(text);
  return parsed === undefined ? refuse('bad-json') : read(parsed.json);
};

/**
 * The same for a value that was JSON already, such as one of a batch, and its length as text. What is nested too deep is not written
 * anew to be measured, and counts as the longest there may be.
 */
export const check = (json: unknown, mostBytes: number): { message: Incoming | Refusal; bytes: number } => {
  if (isDeeper(json, most.depth)) return { message: tooDeep({ json }), bytes: mostBytes };
  const bytes = Buffer.byteLength(JSON.stringify(json));
  return { message: bytes > mostBytes ? malformed(json, tooLong(bytes, mostBytes)) : read(json), bytes };
};

/** A text that is longer than the server accepts. Only its number is looked for: JSON.parse needs no stack for nested values. */
export const decodeTooLong = (text: string, bytes: number, mostBytes: number): Malformed | Refusal =>
  malformed(parseJson(text)?.json, tooLong(bytes, mostBytes));

const read = (json: unknown): Incoming | Refusal => {
  const result = clientMessage.safeParse(json);
  if (!result.success) return malformed(json, explain(result.error));
  const message = result.data;
  return message.type === 'signal' ? bounded({ ...message, data: JSON.stringify(message.data) }) : message;
};

const bounded = (signal: UnreadSignal): UnreadSignal | Malformed => {
  const { n, data } = signal;
  if (data.length <= most.signal) return signal;
  const refusal = refuse('too-long', `signal.data has ${data.length} characters, at most ${most.signal}`);
  return { type: 'malformed', n, refusal };
};

const malformed = (json: unknown, refusal: Refusal): Malformed | Refusal => {
  const { data } = numbered.safeParse(json);
  return data ? { type: 'malformed', n: data.n, refusal } : refusal;
};
const numbered = z.object({ n: z.int().min(1) });

const tooLong = (bytes: number, mostBytes: number): Refusal =>
  refuse('too-long', `${bytes} bytes, at most ${mostBytes}`);

const tooDeep = (parsed: { json: unknown } | undefined): Malformed | Refusal =>
  parsed === undefined
    ? refuse('bad-json')
    : malformed(parsed.json, refuse('bad-message', `nested more than ${most.depth} deep`));

/** The first fault of a zod error, by its path: `signal.to: expected string`. */
export const explain = ({ issues }: z.ZodError, root = ''): Refusal => {
  const issue = issues[0];
  if (issue?.path[0] === 'type' && issue.path.length === 1) return refuse('unknown-type', 'in "type"');
  const where = [root, ...(issue?.path ?? [])].filter((part) => part !== '').join('.');
  return refuse('bad-message', `${where || 'message'}: ${issue?.message ?? 'invalid'}`);
};

export const parseJson = (text: string): { json: unknown } | undefined => {
  try {
    return { json: JSON.parse(text) };
  } catch {
    return undefined;
  }
};

/**
 * Signals are nearly all the traffic and their data can be long. With the fields in the order of the documentation the
 * data's own text is cut out, proven to be one JSON value (so that nothing can be smuggled in behind it), and passed on
 * as it is: not written anew. In any other order the long way gives the same result.
 */
const quickSignal = (text: string): UnreadSignal | Malformed | undefined => {
  const [head, n, to, epoch] = signalHead.exec(text) ?? [];
  if (head === undefined || to === undefined || !text.endsWith('}')) return undefined;
  const data = text.slice(head.length, -1);
  return parseJson(data) && bounded({ type: 'signal', n: Number(n), to, epoch: Number(epoch), data });
};
const signalHead = /^\{"type":"signal","n":([1-9]\d{0,14}),"to":"([\w-]{1,32})","epoch":([1-9]\d{0,14}),"data":/;
