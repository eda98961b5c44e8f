/** Decodes text from a client into a message, or a refusal that names what is wrong and where. */
import type { z } from 'zod';
import { type Refusal, refuse } from './errors.ts';
import { most } from './limits.ts';
import { type ClientMessage, clientMessage } from './messages.ts';
import { isDeeper, nestsDeeper } from './nesting.ts';
import { cleanText } from './shown.ts';

/** A signal as the server relays it: `data` stays the JSON text of the sender. */
export type UnreadSignal = { type: 'signal'; n: number; to: string; epoch: number; data: string };
/** An invalid message whose number can be read: the refusal settles that number. */
export type Malformed = { type: 'malformed'; n: number; refusal: Refusal };
export type Incoming = Exclude<ClientMessage, { type: 'signal' }> | UnreadSignal | Malformed;

/** @returns a refusal only if no number can be read */
export const decode = (text: string): Incoming | Refusal => quickSignal(text) ?? quickChat(text) ?? decodeAny(text);

const decodeAny = (text: string): Incoming | Refusal => {
  const parsed = parseJson(text);
  if (nestsDeeper(text, most.depth)) return tooDeep(parsed);
  return parsed === undefined ? refuse('bad-json') : read(parsed.json);
};

/** The same for parsed JSON, such as one message of a batch; `bytes` is its length as text. */
export const check = (json: unknown, bytes: number, maxBytes: number): Incoming | Refusal => {
  if (isDeeper(json, most.depth)) return tooDeep({ json });
  return bytes > maxBytes ? malformed(json, tooLong(bytes, maxBytes)) : read(json);
};

/** Bytes of a value as JSON text. A value that is nested too deep counts as `maxBytes`, because it cannot be serialized again. */
export const sizeOf = (json: unknown, maxBytes: number): number =>
  isDeeper(json, most.depth) ? maxBytes : Buffer.byteLength(JSON.stringify(json));

/** Decodes only the number of a text that is too long. This is safe at any depth: JSON.parse needs no stack for nested values. */
export const decodeTooLong = (text: string, bytes: number, maxBytes: number): Malformed | Refusal =>
  malformed(parseJson(text)?.json, tooLong(bytes, maxBytes));

const read = (json: unknown): Incoming | Refusal => {
  const result = clientMessage.safeParse(json);
  if (!result.success) return malformed(json, explain(result.error));
  const message = result.data;
  if (message.type === 'chat') return cleaned(message);
  return message.type === 'signal' ? bounded({ ...message, data: JSON.stringify(message.data) }) : message;
};

const cleaned = (message: Extract<ClientMessage, { type: 'chat' }>): Incoming => {
  const text = cleanText(message.text);
  if (text !== '') return { ...message, text };
  return { type: 'malformed', n: message.n, refusal: refuse('bad-message', 'text: nothing in it is text') };
};

const bounded = (signal: UnreadSignal): UnreadSignal | Malformed => {
  const { n, data } = signal;
  if (data.length <= most.signal) return signal;
  const refusal = refuse('too-long', `signal.data has ${data.length} characters, at most ${most.signal}`);
  return { type: 'malformed', n, refusal };
};

const malformed = (json: unknown, refusal: Refusal): Malformed | Refusal => {
  const n = numberIn(json);
  return n === undefined ? refusal : { type: 'malformed', n, refusal };
};

/** The number of a message, even of an invalid one. */
export const numberIn = (json: unknown): number | undefined => {
  const n = typeof json === 'object' && json !== null && 'n' in json ? json.n : undefined;
  return Number.isSafeInteger(n) && Number(n) >= 1 ? Number(n) : undefined;
};

/** The number of a message that is over budget, without parsing it; undefined if `n` does not follow `type` directly. */
export const numberAtStart = (text: string): number | undefined => {
  const n = /^\s*\{\s*"type"\s*:\s*"[\w-]{1,32}"\s*,\s*"n"\s*:\s*([1-9]\d{0,14})\b/.exec(text)?.[1];
  return n === undefined ? undefined : Number(n);
};

const tooLong = (bytes: number, maxBytes: number): Refusal => refuse('too-long', `${bytes} bytes, at most ${maxBytes}`);

const tooDeep = (parsed: { json: unknown } | undefined): Malformed | Refusal =>
  parsed === undefined
    ? refuse('bad-json')
    : malformed(parsed.json, refuse('bad-message', `nested more than ${most.depth} deep`));

/** The first issue of a zod error, with its path: `signal.to: expected string`. */
export const explain = ({ issues }: z.ZodError, root = ''): Refusal => {
  const issue = issues[0];
  if (issue?.path[0] === 'type' && issue.path.length === 1) return refuse('unknown-type', 'in "type"');
  const where = [root, ...(issue?.path ?? [])].filter((part) => part !== '').join('.');
  return refuse('bad-message', `${where || 'message'}: ${issue?.message ?? 'invalid'}`);
};

const parseJson = (text: string): { json: unknown } | undefined => {
  try {
    return { json: JSON.parse(text) };
  } catch {
    return undefined;
  }
};

/**
 * A fast path, because nearly all traffic is signals and their `data` can be long. If the fields are in the documented order,
 * the text of `data` is cut out, checked to be a single JSON value (so that nothing can be appended to it), and relayed without
 * being serialized again. With any other order, the slow path gives the same result.
 */
const quickSignal = (text: string): UnreadSignal | Malformed | undefined => {
  const head = signalHead.exec(text);
  if (head === null || !text.endsWith('}')) return undefined;
  const data = text.slice(head[0].length, -1);
  if (nestsDeeper(data, most.depth - 1) || !parseJson(data)) return undefined;
  return bounded({ type: 'signal', n: Number(head[1]), to: head[2] ?? '', epoch: Number(head[3]), data });
};
const signalHead = /^\{"type":"signal","n":([1-9]\d{0,14}),"to":"([\w-]{1,32})","epoch":([1-9]\d{0,14}),"data":/;

/**
 * The same fast path for a chat text that needs neither unescaping nor cleaning. The expression does not limit the length, because
 * counting every character is slow.
 */
const quickChat = (message: string): Incoming | undefined => {
  const [, n, text, to] = plainChat.exec(message) ?? [];
  if (text === undefined || text.length > most.text) return undefined;
  return { type: 'chat', n: Number(n), text, ...(to === undefined ? {} : { to }) };
};
const plainChat =
  /^\{"type":"chat","n":([1-9]\d{0,14}),"text":"([ !#-[\]-~\xa0-\u2027\u202a-\ud7ff\ue000-\uffff]+)"(?:,"to":"([\w-]{1,32})")?\}$/;
