/** Refusals: each has the code and the status or close code of the error table, and affects no other peer. */
import { type ErrorCode, errors } from '../../protocol/errors.ts';
import type { Case } from '../case.ts';
import { matches, same } from '../expect.ts';
import { WebSocketPeer } from '../peers.ts';

/** Messages sent after joining. */
const afterJoin: [string, ErrorCode, string][] = [
  ['invalid JSON', 'bad-json', '{"type":"chat",'],
  ['an unknown type', 'unknown-type', '{"type":"dance"}'],
  ['no type', 'unknown-type', '{"n":1}'],
  ['a field of the wrong type', 'bad-message', '{"type":"chat","n":"one","text":"x"}'],
  ['a missing field', 'bad-message', '{"type":"signal","n":1,"to":"x","epoch":1}'],
  ['a name of control characters', 'bad-message', '{"type":"update","n":1,"name":"a\\u0007b"}'],
  ['a text that is too long', 'bad-message', JSON.stringify({ type: 'chat', n: 1, text: 'x'.repeat(4001) })],
  ['a second join', 'already-joined', '{"type":"join","name":"again"}'],
  ['a signal to an unknown peer', 'unknown-peer', '{"type":"signal","n":1,"to":"nobody","epoch":1,"data":1}'],
];
/** Messages sent first. */
const first: [string, ErrorCode, string][] = [
  ['a signal before join', 'not-joined', '{"type":"signal","n":1,"to":"x","epoch":1,"data":1}'],
  ['a name that is too long', 'bad-message', JSON.stringify({ type: 'join', name: 'x'.repeat(65) })],
];

const refused = (what: string, code: ErrorCode, text: string, joins: boolean): Case => ({
  name: `${what} is refused as ${code}, without effect on other peers`,
  async run(c) {
    const { room, first, second } = await c.pair();
    same(await c.refusal(room, joins ? [c.joinText(), text] : [text]), c.fate(code), 'refusal');
    await first.send({ type: 'chat', text: 'all well' });
    matches(await second.inbox.take('chat'), { text: 'all well' });
  },
});

export const errorCases: Case[] = [
  ...afterJoin.map(([what, code, text]) => refused(what, code, text, true)),
  ...first.map(([what, code, text]) => refused(what, code, text, false)),
  ...['a b', 'x'.repeat(65), '..%2f', 'semi;colon', 'cafe\u0301'].map(
    (room): Case => ({
      name: `${room} is not a valid room name`,
      run: async (c) => same(await c.refusal(room), c.fate('bad-room-name'), 'refusal'),
    }),
  ),
  ...['玄関', 'зал_2', 'नमस्ते', 'a', 'x'.repeat(34)].map(
    (suffix): Case => ({
      name: `${suffix} is valid in a room name`,
      run: async (c) => (await c.join(c.newRoom(suffix))).leave(),
    }),
  ),
  {
    name: 'a binary frame ends only its own connection',
    on: ['WebSocket'],
    async run(c) {
      const room = c.newRoom();
      const watcher = await c.join(room);
      const odd = c.add(WebSocketPeer, room);
      await odd.join();
      odd.write(Buffer.from([1, 2, 3]));
      same((await odd.closing()).code, errors['bad-json'].close, 'close code');
      matches(await watcher.inbox.take('peer-left'), { peer: odd.id, reason: 'error' });
    },
  },
];
