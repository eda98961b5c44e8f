/** Malformed messages: each is refused, its number is settled where it can be read, and its session continues. */
import type { ErrorCode } from '../../protocol/errors.ts';
import { most } from '../../protocol/limits.ts';
import type { ClientMessage } from '../../protocol/messages.ts';
import { type Context, NotTested } from '../context.ts';
import { same, shown } from '../expect.ts';
import type { Fields, TestPeer } from '../peers.ts';
import type { Case } from '../spec.ts';
import { tooLong } from './limits.ts';

/** What a field holds: a text of `least` to `longest` characters, the id of a peer, one of some words, anything else by its type. */
type Form =
  | { is: 'text'; least: number; longest: number }
  | { is: 'id' }
  | { is: 'word' }
  | { is: 'flag' }
  | { is: 'count' }
  | { is: 'media' }
  | { is: 'data' };
type Field = Form & { sound: unknown; optional?: true };

const text = (longest: number, least = 1): Field => ({ is: 'text', least, longest, sound: 'x' });
const id: Field = { is: 'id', sound: 'somebody' };
const word = (sound: string): Field => ({ is: 'word', sound });
const flag: Field = { is: 'flag', sound: true };
const count: Field = { is: 'count', sound: 1 };
const media: Field = { is: 'media', sound: { audio: true, video: true } };
const data: Field = { is: 'data', sound: {} };
const may = (field: Field): Field => ({ ...field, optional: true });

/** Every type of message, with every field but `n`. */
const types: Record<ClientMessage['type'], Record<string, Field>> = {
  join: {
    name: may(text(most.name)),
    token: may(text(most.token, 0)),
    passcode: may(text(most.passcode)),
    session: may(text(256, 0)),
    after: may(count),
    media: may(media),
  },
  signal: { to: id, epoch: count, data },
  chat: { text: text(most.text), to: may(id) },
  update: { name: may(text(most.name)), media: may(media), hand: may(flag), token: may(text(most.token, 0)) },
  leave: { mayReturn: may(flag) },
  ping: { quiet: may(count) },
  admit: { peer: id },
  deny: { peer: id },
  lock: { access: word('open') },
  passcode: { passcode: text(most.passcode) },
  role: { peer: id, role: word('guest') },
  kick: { peer: id, ban: may(flag), network: may(flag) },
  'mute-request': { peer: id, kind: word('audio') },
  end: {},
};
const unnumbered = ['join', 'leave', 'ping'];

const nested = (depth: number): unknown => {
  let value: unknown = [];
  for (let level = 1; level < depth; level += 1) value = [value];
  return value;
};

/** Values that a field may not have, by what is wrong with them. */
const wrong = (field: Field): [string, unknown][] => {
  const values: [string, unknown][] = [];
  if (!field.optional) values.push(['missing', undefined]);
  if (field.is === 'data') return [...values, ['nested too deep', nested(most.depth)], ['far too deep', nested(1500)]];
  values.push(['of a wrong type', field.is === 'text' || field.is === 'id' ? 7 : 'wrong'], ['a list', []]);
  if (!(field.is === 'text' && field.longest === most.passcode)) values.push(['null', null]);
  if (field.is === 'text' && field.least > 0) values.push(['empty', '']);
  if (field.is === 'text') values.push(['too long', 'x'.repeat(field.longest + 1)]);
  if (field.is === 'id')
    values.push(['empty', ''], ['no id', 'a b'], ['no id', '__proto__/..'], ['too long', 'x'.repeat(33)]);
  if (field.is === 'count') values.push(['negative', -1], ['a fraction', 1.5], ['too large', 2 ** 60]);
  if (field.is === 'media')
    values.push(['incomplete', { audio: true }], ['nested', { audio: { audio: true }, video: true }]);
  return values;
};

type Spoiled = { what: string; message: Fields; code?: ErrorCode };

/** A message of this type in every way in which it can be malformed, but for its number. */
const spoiled = (type: ClientMessage['type']): Spoiled[] => {
  const fields = Object.entries(types[type]);
  const sound = { type, ...Object.fromEntries(fields.map(([name, field]) => [name, field.sound])) };
  const all = fields.flatMap(([name, field]) =>
    wrong(field).map(([how, value]): Spoiled => ({ what: `${name} is ${how}`, message: { ...sound, [name]: value } })),
  );
  if (type === 'signal')
    all.push({ what: 'data is too long', message: { ...sound, data: 'x'.repeat(most.signal) }, code: 'too-long' });
  return [
    ...all,
    { what: 'an unknown field is nested too deep', message: { ...sound, more: nested(most.depth) } },
    { what: 'an unknown field is nested far too deep', message: { ...sound, more: nested(1500) } },
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

/** Whether a server with a low `max-message-bytes` takes no messages of this length. */
const isLong = ({ message }: Spoiled): boolean => JSON.stringify(message).length > 4096;

/** Refused with the number that it has, after which the same session says something sound. */
const refusedAlone = async (
  { sender, hearer }: { sender: TestPeer; hearer: TestPeer },
  { what, message, code = 'bad-message' }: Spoiled,
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
  same((await hearer.inbox.take('chat')).text, about.slice(0, 100), 'what was said next');
};

const begin = async (c: Context) => {
  const { first: sender, second: hearer } = await c.pair();
  return { sender, hearer };
};

const ofType = (type: ClientMessage['type']): Case => ({
  name: `every malformed ${type} is refused and settled, and its session continues`,
  async run(c) {
    const peers = await begin(c);
    const isNumbered = !unnumbered.includes(type);
    for (const one of spoiled(type)) if (!isLong(one)) await refusedAlone(peers, one, isNumbered);
    const sound = Object.entries(types[type]).map(([name, field]) => [name, field.sound]);
    for (const [how, n] of isNumbered ? badNumbers : [])
      await refusedAlone(peers, { what: `n is ${how}`, message: { type, ...Object.fromEntries(sound), n } }, false);
  },
});

export const malformed: Case[] = [
  // Every type is a key of the table.
  ...Object.keys(types).map((type) => ofType(type as ClientMessage['type'])),
  {
    name: 'a field that is too long is refused and settled, and its session continues',
    async run(c) {
      const peers = await begin(c);
      const shortest = await tooLong(c, c.newRoom());
      for (const one of [...spoiled('signal'), ...spoiled('update')].filter(isLong)) {
        if (JSON.stringify(one.message).length > shortest / 1.5) throw new NotTested('messages are shorter here');
        await refusedAlone(peers, one, true);
      }
    },
  },
  {
    name: 'a name is told without what cannot be seen, and is none where nothing can',
    async run(c) {
      const room = c.newRoom();
      const hearer = await c.enter(room);
      const names: [string, string | undefined][] = [
        ['\u202etsoh', 'tsoh'],
        ['Ai\u200bko\u2069', 'Aiko'],
        ['\u0645\u06cc\u200c\u062e', '\u0645\u06cc\u200c\u062e'],
        ['\u3164', undefined],
        ['\u200f\u200f', undefined],
      ];
      for (const [name, told] of names) {
        const peer = await c.enter(room, { name });
        same((await hearer.inbox.take('peer-joined')).peer.name, told, `what is told of ${JSON.stringify(name)}`);
        await peer.leave();
        await hearer.inbox.take('peer-left');
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
