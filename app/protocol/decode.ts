/** Text from a client → a message, or the refusal that says what was wrong and where. */
import type { z } from 'zod';
import { type Refusal, refuse } from './errors.ts';
import { type ClientMessage, clientMessage } from './messages.ts';

/** A signal as the server carries it: `data` stays the JSON text that the sender wrote. */
export type UnreadSignal = { type: 'signal'; n: number; to: string; epoch: number; data: string };
export type Incoming = Exclude<ClientMessage, { type: 'signal' }> | UnreadSignal;

export const decode = (text: string): Incoming | Refusal => {
  const quick = quickSignal(text);
  if (quick) return quick;
  const parsed = parseJson(text);
  return parsed === undefined ? refuse('bad-json') : check(parsed.json);
};

/** The same for a value that was JSON already, such as one of a batch. */
export const check = (json: unknown): Incoming | Refusal => {
  const result = clientMessage.safeParse(json);
  if (!result.success) return explain(result.error);
  const message = result.data;
  return message.type === 'signal' ? { ...message, data: JSON.stringify(message.data) } : message;
};

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
const quickSignal = (text: string): UnreadSignal | undefined => {
  const [head, n, to, epoch] = signalHead.exec(text) ?? [];
  if (head === undefined || to === undefined || !text.endsWith('}')) return undefined;
  const data = text.slice(head.length, -1);
  return parseJson(data) && { type: 'signal', n: Number(n), to, epoch: Number(epoch), data };
};
const signalHead = /^\{"type":"signal","n":([1-9]\d{0,14}),"to":"([\w-]{1,32})","epoch":([1-9]\d{0,14}),"data":/;
