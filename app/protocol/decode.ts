/** Decodes text from a client into a message, or a refusal that names what is wrong and where. */
import type { z } from 'zod';
import { ByteRange, textOf } from './byte-range.ts';
import { type Refusal, refuse } from './errors.ts';
import { isCompactJson } from './json-bytes.ts';
import { isJson, readArray, readObject } from './json-text.ts';
import { most } from './limits.ts';
import { type ClientMessage, clientMessage, mediaState } from './messages.ts';
import { hasManyValues, nestsDeeper } from './nesting.ts';
import { cleanText } from './shown.ts';

/** A signal as the server relays it: `data` stays the JSON text of the sender, or its bytes. */
export type UnreadSignal = { type: 'signal'; n: number; to: string; epoch: number; data: string | ByteRange };
/** An invalid message whose number can be read: the refusal settles that number. */
export type Malformed = { type: 'malformed'; n: number; refusal: Refusal };
export type Incoming = Exclude<ClientMessage, { type: 'signal' }> | UnreadSignal | Malformed;

/** @returns a refusal only if no number can be read */
export const decode = (message: string | ByteRange): Incoming | Refusal =>
  (typeof message === 'string' ? undefined : signalIn(message)) ?? decodeText(textOf(message));

const decodeText = (text: string): Incoming | Refusal => quickSignal(text) ?? quickChat(text) ?? decodeAny(text);

const decodeAny = (text: string): Incoming | Refusal => {
  const json = hasManyValues(text) ? readKnownFields(text) : parseFewValues(text);
  if (json === undefined) return refuse('bad-json');
  if (nestsDeeper(text, most.depth))
    return malformed(json, refuse('bad-message', `nested more than ${most.depth} deep`));
  const result = clientMessage.safeParse(json);
  if (!result.success) return malformed(json, explain(result.error));
  const message = result.data;
  if (message.type === 'chat') return cleaned(message);
  return message.type === 'signal' ? bounded({ ...message, data: String(message.data) }) : message;
};

/** Decodes only the number of a text that is too long. */
export const decodeTooLong = (text: string, bytes: number, maxBytes: number): Malformed | Refusal => {
  const refusal = refuse('too-long', `${bytes} bytes, at most ${maxBytes}`);
  const n = numberAtStart(text);
  return n === undefined ? malformed(readKnownFields(text), refusal) : { type: 'malformed', n, refusal };
};

/** The texts of the messages in the body of a request: of one, or of an array of them. */
export const readPosted = (body: string): Iterable<string> | Refusal => {
  const items = readArray(body);
  if (items === undefined && !isJson(body)) return refuse('bad-json');
  if (/^\s*(?:\{|\[\s*[^\s\]])/.test(body)) return items ?? [body];
  return refuse('bad-message', 'expected a message or an array of messages');
};

/**
 * An object with only the fields that messages have; others are not even parsed. `data` stays JSON text. Other values lose what no
 * message has: the items of arrays, and what is nested deeper than `depth`.
 * @returns undefined if the text is not JSON
 */
export const readKnownFields = (text: string, depth = 2): unknown => {
  const fields: Record<string, unknown> = {};
  const isObject = readObject(text, (key, from, end) => {
    if (!knownFields.has(key)) return;
    const value = text.slice(from, end);
    fields[key] = key === 'data' ? value : readValue(value, depth - 1);
  });
  if (isObject) return fields;
  return isJson(text) ? readValue(text.trimStart(), 0) : undefined;
};

const readValue = (text: string, depth: number): unknown => {
  if (text.startsWith('{') && depth > 0) return readKnownFields(text, depth);
  return text.startsWith('{') || text.startsWith('[') ? [] : JSON.parse(text);
};

const knownFields = new Set([...clientMessage.options, mediaState].flatMap(({ shape }) => Object.keys(shape)));

const cleaned = (message: Extract<ClientMessage, { type: 'chat' }>): Incoming => {
  const text = cleanText(message.text);
  if (text !== '') return { ...message, text };
  return { type: 'malformed', n: message.n, refusal: refuse('bad-message', 'text: nothing in it is text') };
};

const bounded = (signal: UnreadSignal & { data: string }): UnreadSignal | Malformed => {
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
const numberIn = (json: unknown): number | undefined => {
  const n = typeof json === 'object' && json !== null && 'n' in json ? json.n : undefined;
  return Number.isSafeInteger(n) && Number(n) >= 1 ? Number(n) : undefined;
};

/** The number of a message that is over budget, without parsing it; undefined if `n` does not follow `type` directly. */
export const numberAtStart = (text: string): number | undefined => {
  const n = /^\s*\{\s*"type"\s*:\s*"[\w-]{1,32}"\s*,\s*"n"\s*:\s*([1-9]\d{0,14})\b/.exec(text)?.[1];
  return n === undefined ? undefined : Number(n);
};

/** The first issue of a zod error, with its path: `signal.to: expected string`. */
export const explain = ({ issues }: z.ZodError, root = ''): Refusal => {
  const issue = issues[0];
  if (issue?.path[0] === 'type' && issue.path.length === 1) return refuse('unknown-type', 'in "type"');
  const where = [root, ...(issue?.path ?? [])].filter((part) => part !== '').join('.');
  return refuse('bad-message', `${where || 'message'}: ${issue?.message ?? 'invalid'}`);
};

/** JSON.parse is the fastest way to read a few values, such as a long SDP or a candidate. `data` becomes JSON text here too. */
const parseFewValues = (text: string): unknown => {
  const json = parseJson(text)?.json;
  return typeof json === 'object' && json !== null && 'data' in json
    ? { ...json, data: JSON.stringify(json.data) }
    : json;
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
  if (hasManyValues(data) ? nestsDeeper(data, most.depth - 1) || !isJson(data) : !parseJson(data)) return undefined;
  return bounded({ type: 'signal', n: Number(head[1]), to: head[2] ?? '', epoch: Number(head[3]), data });
};

/** The same fast path for received bytes, which are relayed as they are. What it does not prove is left to the path for texts. */
const signalIn = (message: ByteRange): UnreadSignal | undefined => {
  const { chunk, from, end } = message;
  const head = signalHead.exec(chunk.bytes.toString('latin1', from, Math.min(end, from + maxHead)));
  if (head === null || chunk.bytes[end - 1] !== closeBrace) return undefined;
  const data = new ByteRange(chunk, from + head[0].length, end - 1);
  // Bytes are at least as many as the characters that the limit counts.
  if (data.byteLength > most.signal || !isCompactJson(data, most.depth - 1)) return undefined;
  return { type: 'signal', n: Number(head[1]), to: head[2] ?? '', epoch: Number(head[3]), data };
};
const signalHead = /^\{"type":"signal","n":([1-9]\d{0,14}),"to":"([\w-]{1,32})","epoch":([1-9]\d{0,14}),"data":/;
/** Length of the longest match of `signalHead`. */
const maxHead = 108;
const closeBrace = 0x7d;

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
