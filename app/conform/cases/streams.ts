/** Event streams: start, continuation, heartbeats and end. */
import { errors } from '../../protocol/errors.ts';
import type { Block } from '../../protocol/event-stream.ts';
import type { Case } from '../case.ts';
import type { Context } from '../context.ts';
import { matches, same } from '../expect.ts';
import { eventsIn } from '../peer-client.ts';
import { AskingPeer, StreamPeer, WebSocketPeer } from '../peers.ts';

const accept = { accept: 'text/event-stream' };
/** Timeout for a stream in ms; longer than the default heartbeat interval. */
const patience = 30_000;

/** A second peer in a room that has joined but listens to nothing yet, and the first peer. */
const begin = async (c: Context) => {
  const room = c.newRoom();
  const other = c.add(StreamPeer, room);
  await other.join();
  const peer = c.add(AskingPeer, room);
  const { seq } = await peer.join();
  const request = (headers: Record<string, string> = {}) =>
    peer.events(`after=${seq}`, { ...accept, ...headers }, AbortSignal.timeout(patience));
  const stream = async (headers?: Record<string, string>) => eventsIn(await request(headers));
  return { room, other, peer, seq, request, stream };
};

const until = async (blocks: AsyncGenerator<Block>, wanted: (block: Block) => boolean): Promise<Block> => {
  for (;;) {
    // No `for await`, because leaving it would end the stream.
    const { value, done } = await blocks.next();
    if (done) throw new Error('the stream ended before');
    if (wanted(value)) return value;
  }
};
const isMessage = ({ data }: Block): boolean => data !== undefined;
const has =
  (text: string) =>
  ({ data }: Block): boolean =>
    data?.includes(text) === true;

const cases: Omit<Case, 'on'>[] = [
  {
    name: 'a stream starts at once, is not cached or buffered, and has an id for each numbered message',
    async run(c) {
      const { other, request } = await begin(c);
      const response = await request();
      same(response.headers.get('content-type'), 'text/event-stream', 'content-type');
      same(response.headers.get('cache-control'), 'no-store', 'cache-control');
      const blocks = eventsIn(response);
      matches((await blocks.next()).value, { retry: '1000' });
      await other.send({ type: 'chat', text: 'one\ntwo' });
      const { id, data } = await until(blocks, isMessage);
      matches(JSON.parse(data ?? ''), { type: 'chat', seq: Number(id), text: 'one\ntwo' });
    },
  },
  {
    name: 'a broken stream is detected at once',
    async run(c) {
      const { other, request, stream } = await begin(c);
      const blocks = await stream();
      await blocks.next();
      await blocks.return(undefined);
      // Otherwise it would be away only after twice the ping-interval, which is longer than this waits.
      await other.inbox.take('peer-away');
      await request();
      await other.inbox.take('peer-back');
    },
  },
  {
    name: 'Last-Event-ID takes precedence over the number in the URL',
    async run(c) {
      const { other, request, stream } = await begin(c);
      for (const text of ['one', 'two']) await other.send({ type: 'chat', text });
      const first = await until(await stream(), has('"one"'));
      const rest = await stream({ 'last-event-id': first.id ?? '' });
      same((await until(rest, isMessage)).data?.includes('"two"'), true, 'whether "two" comes next');
      const wrong = await request({ 'last-event-id': 'x' });
      same(wrong.status, 400, 'status for a Last-Event-ID of "x"');
      matches(await wrong.json(), { code: 'bad-message' });
    },
  },
  {
    name: 'heartbeats advance the number, also past events for other peers',
    lasts: () => 15_000,
    async run(c) {
      const { room, other, stream } = await begin(c);
      const third = c.add(StreamPeer, room);
      await third.join();
      const blocks = await stream();
      const joined = await until(blocks, has('peer-joined'));
      await other.send({ type: 'chat', text: 'not for all', to: third.id });
      const { seq } = await third.inbox.take('chat');
      const beat = await until(blocks, ({ comment, id }) => comment !== undefined && Number(id) > Number(joined.id));
      same(beat, { comment: '', id: String(seq) }, 'heartbeat');
    },
  },
  {
    name: 'a newer stream or poll ends an older stream with bye; a newer stream ends a poll',
    async run(c) {
      const { other, peer, seq, stream } = await begin(c);
      const ends = async (blocks: AsyncGenerator<Block>) => {
        const { data, id } = await until(blocks, has('"bye"'));
        matches(JSON.parse(data ?? ''), { code: 'replaced', retry: null });
        same(id, undefined, 'id of the bye');
        same((await blocks.next()).done, true, 'whether the stream ended');
      };
      const older = await stream();
      const newer = await stream();
      await ends(older);
      const poll = peer.poll(8, undefined, seq);
      await ends(newer);
      const last = await stream();
      matches(await poll, { status: 409, json: { code: 'replaced' } });
      await other.send({ type: 'chat', text: 'still there' });
      await until(last, has('still there'));
      same(other.inbox.of('peer-away'), [], 'peers that are away');
    },
  },
  {
    name: 'leave ends the stream with bye, with and without mayReturn',
    async run(c) {
      for (const mayReturn of [false, true]) {
        const { peer, stream } = await begin(c);
        const blocks = await stream();
        await peer.post('leave', { mayReturn });
        const { data } = await until(blocks, has('"bye"'));
        matches(JSON.parse(data ?? ''), { code: 'left', retry: null });
        same((await blocks.next()).done, true, 'whether the stream ended');
      }
    },
  },
  {
    name: 'a WebSocket of the same session replaces a stream, and a join by plain HTTP replaces the WebSocket',
    also: ['WebSocket'],
    async run(c) {
      const { room, other, peer, seq, request, stream } = await begin(c);
      const blocks = await stream();
      const socket = c.add(WebSocketPeer, room);
      matches(await socket.join({ session: peer.session, after: seq }), { recovered: true });
      same((await until(blocks, has('"bye"'))).data?.includes('"replaced"'), true, 'whether the bye says replaced');
      await peer.send({ type: 'chat', text: 'requests end no WebSocket' });
      await other.inbox.take('chat');
      same(socket.closed, undefined, 'whether the WebSocket was closed');
      // Refused, because it may be a delayed request from before the WebSocket.
      same((await request()).status, errors.replaced.status, 'status of a stream next to the WebSocket');
      matches(await peer.join({ session: peer.session, after: seq }), { recovered: true });
      matches(await socket.closing(), { code: errors.replaced.close });
    },
  },
  {
    name: 'data with line breaks between its tokens stays one message',
    also: ['WebSocket'],
    async run(c) {
      const room = c.newRoom();
      const peer = c.add(StreamPeer, room);
      const socket = c.add(WebSocketPeer, room);
      const { self } = await peer.join();
      const { peers } = await socket.join();
      const epoch = peers[0]?.epoch ?? 0;
      socket.write(`{"type":"signal","n":1,"to":"${self.id}","epoch":${epoch},"data":{\r\n"a":\n\n[1,\r2]}}`);
      matches(await peer.inbox.take('signal'), { data: { a: [1, 2] } });
    },
  },
  {
    name: 'Unicode line separators in data do not end a line',
    async run(c) {
      const { room, first, second, epoch } = await c.pair();
      const data = { text: 'a\u2028b\u2029c\u0085d' };
      await first.send({ type: 'signal', to: second.id, epoch, data });
      matches(await second.inbox.take('signal'), { data });
      const third = c.add(WebSocketPeer, room);
      await third.join();
      same((await second.inbox.take('peer-joined')).peer.id, third.id, 'the peer that joined next');
    },
    also: ['WebSocket'],
  },
  {
    name: 'a refused request for a stream gets an error response instead',
    async run(c) {
      const { peer } = await begin(c);
      const refused = async (query: string, headers: Record<string, string> = {}) => {
        const response = await peer.events(query, { ...accept, ...headers });
        return { status: response.status, json: await response.json() };
      };
      matches(await refused('after=99999'), { status: 410, json: { code: 'events-gone' } });
      matches(await refused('after=0', { authorization: '' }), { status: 401, json: { code: 'not-joined' } });
      matches(await refused(''), { status: 400, json: { code: 'bad-message' } });
    },
  },
];

export const streams: Case[] = cases.map((one) => ({ ...one, on: ['SSE'] }));
