/** Malformed messages: each is refused, its number is settled if it can be read, and its session continues. */
import type { ErrorCode } from '../../protocol/errors.ts';
import { most } from '../../protocol/limits.ts';
import type { ClientMessage } from '../../protocol/messages.ts';
import type { Case } from '../case.ts';
import { type Context, NotTested } from '../context.ts';
import { same, shown } from '../expect.ts';
import type { Fields, TestPeer } from '../peers.ts';
import { tooLong } from './limits.ts';

/** The type of a field. `text`: `least` to `longest` characters; `id`: a peer id; `word`: one of a set of strings. */
type FieldType =
  | { type: 'text'; least: number; longest: number }
  | { type: 'id' }
  | { type: 'word' }
  | { type: 'flag' }
  | { type: 'count' }
  | { type: 'media' }
  | { type: 'data' };
type Field = FieldType & { valid: unknown; optional?: true };

const text = (longest: number, least = 1): Field => ({ type: 'text', least, longest, valid: 'x' });
const id: Field = { type: 'id', valid: 'somebody' };
const word = (valid: string): Field => ({ type: 'word', valid });
const flag: Field = { type: 'flag', valid: true };
const count: Field = { type: 'count', valid: 1 };
const media: Field = { type: 'media', valid: { audio: true, video: true } };
const data: Field = { type: 'data', valid: {} };
const optional = (field: Field): Field => ({ ...field, optional: true });

/** All types of messages, with all fields but `n`. */
const types: Record<ClientMessage['type'], Record<string, Field>> = {
  join: {
    name: optional(text(most.name, 0)),
    token: optional(text(most.token, 0)),
    passcode: optional(text(most.passcode)),
    session: optional(text(256, 0)),
    after: optional(count),
    media: optional(media),
  },
  signal: { to: id, epoch: count, data },
  chat: { text: text(most.text), to: optional(id) },
  update: {
    name: optional(text(most.name)),
    media: optional(media),
    hand: optional(flag),
    token: optional(text(most.token, 0)),
  },
  leave: { mayReturn: optional(flag) },
  ping: { quiet: optional(count) },
  admit: { peer: id },
  deny: { peer: id },
  lock: { access: word('open') },
  passcode: { passcode: text(most.passcode) },
  role: { peer: id, role: word('guest') },
  kick: { peer: id, ban: optional(flag), network: optional(flag) },
  'mute-request': { peer: id, kind: word('audio') },
  end: {},
};
const unnumbered = ['join', 'leave', 'ping'];

const nested = (depth: number): unknown => {
  let value: unknown = [];
  for (let level = 1; level < depth; level += 1) value = [value];
  return value;
};

/** Invalid values of a field, with a description. */
const invalidValues = (field: Field): [string, unknown][] => {
  const values: [string, unknown][] = [];
  if (!field.optional) values.push(['missing', undefined]);
  if (field.type === 'data')
    return [...values, ['nested too deep', nested(most.depth)], ['far too deep', nested(1500)]];
  values.push(['of a wrong type', field.type === 'text' || field.type === 'id' ? 7 : 'wrong'], ['a list', []]);
  if (!(field.type === 'text' && field.longest === most.passcode)) values.push(['null', null]);
  if (field.type === 'text' && field.least > 0) values.push(['empty', '']);
  if (field.type === 'text') values.push(['too long', 'x'.repeat(field.longest + 1)]);
  if (field.type === 'id')
    values.push(['empty', ''], ['not an id', 'a b'], ['not an id', '__proto__/..'], ['too long', 'x'.repeat(33)]);
  if (field.type === 'count') values.push(['negative', -1], ['a fraction', 1.5], ['too large', 2 ** 60]);
  if (field.type === 'media')
    values.push(['incomplete', { audio: true }], ['nested', { audio: { audio: true }, video: true }]);
  return values;
};

type Variant = { what: string; message: Fields; code?: ErrorCode };

/** All malformed variants of a message type, except for bad numbers. */
const malformedVariants = (type: ClientMessage['type']): Variant[] => {
  const fields = Object.entries(types[type]);
  const valid = { type, ...Object.fromEntries(fields.map(([name, field]) => [name, field.valid])) };
  const all = fields.flatMap(([name, field]) =>
    invalidValues(field).map(
      ([how, value]): Variant => ({ what: `${name} is ${how}`, message: { ...valid, [name]: value } }),
    ),
  );
  if (type === 'signal')
    all.push({ what: 'data is too long', message: { ...valid, data: 'x'.repeat(most.signal) }, code: 'too-long' });
  return [
    ...all,
    { what: 'an unknown field is nested too deep', message: { ...valid, more: nested(most.depth) } },
    { what: 'an unknown field is nested far too deep', message: { ...valid, more: nested(1500) } },
  ];
};

const badNumbers: [string, unknown][] = [
  ['missing', undefined],
  ['null', null],
  ['a text', '1'],
  ['zero', 0],
  ['negative', -1],
  ['a fraction', 1.5],
  ['too large', 2 ** 60],
];

/** Whether a server with a low `max-message-bytes` may refuse the message for its length. */
const isLong = ({ message }: Variant): boolean => JSON.stringify(message).length > 4096;

/** The message is refused with its number, and a valid one is then accepted in the same session. */
const refusedAlone = async (
  { sender, receiver }: { sender: TestPeer; receiver: TestPeer },
  { what, message, code = 'bad-message' }: Variant,
  numbered: boolean,
): Promise<void> => {
  const about = `${what}, in ${shown(message)}`;
  await sender.send(numbered ? message : { n: undefined, ...message });
  const n = numbered ? sender.n : undefined;
  const error = await sender.inbox.take('error');
  same({ code: error.code, n: error.n, retry: error.retry }, { code, n, retry: undefined }, about);
  await sender.send({ type: 'chat', text: about.slice(0, 100) });
  let acked = 0;
  while (acked < sender.n) acked = (await sender.inbox.take('ack')).n;
  same((await receiver.inbox.take('chat')).text, about.slice(0, 100), 'the next text');
};

const begin = async (c: Context) => {
  const { first: sender, second: receiver } = await c.pair();
  return { sender, receiver };
};

const ofType = (type: ClientMessage['type']): Case => ({
  name: `every malformed ${type} is refused and settled, and its session continues`,
  async run(c) {
    const peers = await begin(c);
    const isNumbered = !unnumbered.includes(type);
    for (const one of malformedVariants(type)) if (!isLong(one)) await refusedAlone(peers, one, isNumbered);
    const valid = Object.entries(types[type]).map(([name, field]) => [name, field.valid]);
    for (const [how, n] of isNumbered ? badNumbers : [])
      await refusedAlone(peers, { what: `n is ${how}`, message: { type, ...Object.fromEntries(valid), n } }, false);
  },
});

export const malformed: Case[] = [
  // Every key of `types` is a message type.
  ...Object.keys(types).map((type) => ofType(type as ClientMessage['type'])),
  {
    name: 'a field that is too long is refused and settled, and its session continues',
    async run(c) {
      const peers = await begin(c);
      const shortest = await tooLong(c, c.newRoom());
      for (const one of [...malformedVariants('signal'), ...malformedVariants('update')].filter(isLong)) {
        if (JSON.stringify(one.message).length > shortest / 1.5)
          throw new NotTested('the size limit for messages is too low');
        await refusedAlone(peers, one, true);
      }
    },
  },
  {
    name: 'invisible characters are removed from names; a name without visible characters is no name',
    async run(c) {
      const room = c.newRoom();
      const receiver = await c.join(room);
      const names: [string, string | undefined][] = [
        ['\u202etsoh', 'tsoh'],
        ['Ai\u200bko\u2069', 'Aiko'],
        ['\u0645\u06cc\u200c\u062e', '\u0645\u06cc\u200c\u062e'],
        ['\u3164', undefined],
        ['\u200f\u200f', undefined],
        [' \u3000', undefined],
        ['', undefined],
      ];
      for (const [name, expected] of names) {
        const peer = await c.join(room, { name });
        same(
          (await receiver.inbox.take('peer-joined')).peer.name,
          expected,
          `the name sent for ${JSON.stringify(name)}`,
        );
        await peer.leave();
        await receiver.inbox.take('peer-left');
      }
    },
  },
  {
    name: 'a message of an unknown type is refused and settled, and its session continues',
    async run(c) {
      const peers = await begin(c);
      for (const type of ['dance', '', 'CHAT', '__proto__', 'malformed', 7, null, undefined, [], { type: 'chat' }])
        for (const isNumbered of [true, false]) {
          const message = { type, text: 'x', refusal: {} };
          await refusedAlone(peers, { what: 'the type is unknown', message, code: 'unknown-type' }, isNumbered);
        }
    },
  },
];
