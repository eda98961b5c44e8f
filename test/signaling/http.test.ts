/** Plain HTTP beyond the signaling cases: limits and ends of streams, their logs and counts, batches of messages. */
import { IncomingMessage, ServerResponse } from 'node:http';
import { Socket } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { eventsIn } from '../../app/conform/peer-client.ts';
import { type Fields, HttpPeer, WebSocketPeer } from '../../app/conform/peers.ts';
import { HttpConversations } from '../../app/signaling/transports/http.ts';
import type { Store } from '../../app/store/store.ts';
import { eventually } from '../listener/uwsgi/finish.ts';
import { isThorough } from '../setup/without.ts';
import { type Site, startSite } from './site.ts';
import { testContext } from './test-context.ts';

class SilentPeer extends HttpPeer {
  protected override async listen(): Promise<void> {}
}
const asked = { accept: 'text/event-stream' };

const settings = [
  ['--max-unsent-bytes', '65536'],
  ['--log-bytes', '67108864'],
  ['--max-kept-bytes-per-address', '134217728'],
  ['--message-rate', '10000'],
  ['--byte-burst', '1073741824'],
  ['--limit-post', '131072'],
].flat();
const shortTimes = ['--ping-interval', '1', '--heartbeat', '1', '--harakiri', '1'];

let site: Site;
let impatient: Site;
beforeAll(async () => {
  [site, impatient] = [await startSite(settings), await startSite(shortTimes)];
});
afterAll(async () => {
  await site.stop();
  await impatient.stop();
});

let count = 0;
/** The first peer of a room, which receives and sends, and the second, which has only joined; the last event is number 2. */
const pair = async (base: string) => {
  const room = `http-${++count}`;
  const [other, peer] = [new WebSocketPeer(base, room), new SilentPeer(base, room)];
  await other.join();
  await peer.join();
  return { room, other, peer };
};
const messagesIn = async (answer: Response): Promise<Fields[]> => {
  const messages: Fields[] = [];
  for await (const { data } of eventsIn(answer)) if (data !== undefined) messages.push(JSON.parse(data));
  return messages;
};
const logged = async ({ logs }: Site, room: string): Promise<Fields> => {
  const ofRoom = () => logs.find((line) => line.msg === 'event stream closed' && line.room === room);
  await eventually(() => expect(ofRoom()).toBeDefined());
  return ofRoom() ?? {};
};

const listeners = isThorough ? (['http', 'http-socket', 'socket', 'unix'] as const) : (['http', 'unix'] as const);
describe.concurrent.each(listeners)('a stream by --%s', (listener) => {
  test('to a peer that does not read is ended, and continues from the log without a gap', async () => {
    const { room, other, peer } = await pair(site.direct[listener]);
    const unread = await peer.events('after=2', asked);
    const epoch = other.inbox.of('peer-joined')[0]?.peer.epoch;
    let sent = 0;
    for (; other.inbox.of('peer-away').length === 0; sent += 1) {
      await other.send({ type: 'signal', to: peer.id, epoch, data: 'x'.repeat(30_000) });
      await other.inbox.take('ack');
      // It sends requests, otherwise it would count as vanished.
      if (sent % 50 === 49) await peer.post('messages', { type: 'ping' });
    }
    expect(await logged(site, room)).toMatchObject({ end: 'slow-consumer', peer: peer.id, status: 200 });
    await unread.body?.cancel();
    const seqs: number[] = [];
    // The missed events exceed max-unsent-bytes, so they arrive in several streams, each of which gets further.
    while (seqs.length < sent) {
      for await (const { id, data } of eventsIn(await peer.events(`after=${seqs.at(-1) ?? 2}`, asked))) {
        if (data?.includes('"signal"')) seqs.push(Number(id));
        if (seqs.length === sent) break;
      }
    }
    expect(seqs).toEqual([...new Set(seqs)].sort((a, b) => a - b));
    expect(seqs).toHaveLength(sent);
  });

  test('outlasts harakiri while its peer sends requests, and ends silently when it does not', async () => {
    const { room, other, peer } = await pair(impatient.direct[listener]);
    const whole = messagesIn(await peer.events('after=2', asked));
    for (let times = 0; times < 6; times += 1) {
      await new Promise((resolve) => setTimeout(resolve, 500));
      await peer.post('messages', { type: 'ping' });
    }
    await other.send({ type: 'chat', text: 'after three seconds' });
    expect(await whole).toMatchObject([{ type: 'chat', text: 'after three seconds' }]);
    await peer.events('after=3', asked);
    expect(other.inbox.of('peer-away')).toEqual([]);
    expect(await logged(impatient, room)).toMatchObject({
      end: 'silent',
      messagesOut: 1,
      bytesOut: expect.any(Number),
    });
    expect(
      impatient.logs.filter(({ msg, room: of, method }) => of === room && msg === 'request' && method === 'GET'),
    ).toEqual([]);
  });
});

test('Unicode line separators in messages do not end a line of a stream', async () => {
  const { other, peer } = await pair(site.direct.http);
  const answer = await peer.events('after=2', asked);
  const { epoch } = other.inbox.of('peer-joined')[0]?.peer ?? {};
  const data = 'a\u2028b\u2029c\u0085d';
  // As their sender wrote them: unescaped.
  await other.send({ type: 'signal', to: peer.id, epoch, data });
  let text = '';
  for await (const chunk of answer.body?.pipeThrough(new TextDecoderStream()) ?? []) {
    text += chunk;
    if (text.includes('"signal"')) break;
  }
  const [line = ''] = text.split(/\r\n|[\n\v\f\r\u0085\u2028\u2029]/).filter((each) => each.startsWith('data: '));
  expect(JSON.parse(line.slice(6))).toMatchObject({ type: 'signal', data });
});

test('a client that disconnects while its stream starts is away, not a ghost', async () => {
  const kept = testContext().store;
  const response = new ServerResponse(new IncomingMessage(new Socket()));
  const store: Store = {
    ...kept,
    since: async () => {
      response.destroy();
      return [];
    },
  };
  const signaling = testContext({ store });
  const ends: string[] = [];
  const conversations = new HttpConversations(signaling, { streamed: ({ end }) => ends.push(end) });
  const events: unknown[] = [];
  kept.subscribe('room', ({ event }) => events.push(event));
  const { session, self } = JSON.parse((await conversations.join('room', '{}', { address: undefined })).body);
  const stream = () =>
    conversations.stream('room', session, 1, { address: undefined }, { reqId: '', ip: '', begin: () => response });
  await stream();
  expect(ends).toEqual(['lost']);
  expect(events.slice(1)).toEqual([{ type: 'peer-away', peer: self.id }]);
  expect(signaling.counts.streams).toEqual({ opened: 1, closed: 1 });
});

test('open streams are counted', async () => {
  const { peer } = await pair(site.direct['http-socket']);
  const metrics = async () => (await fetch(`${site.direct['http-socket']}/metrics`)).text();
  const answer = await peer.events('after=2', asked);
  expect(await metrics()).toMatch(/^genkan_event_streams_open [1-9]/m);
  expect(await metrics()).toMatch(/^genkan_event_streams_total [1-9]/m);
  await answer.body?.cancel();
});

test('a draining server notifies every stream and poll, and waits for none of their connections', async () => {
  const draining = await startSite(['--drain-timeout', '600']);
  const [a, b] = [await pair(draining.direct.http), await pair(draining.direct.http)];
  const stream = messagesIn(await a.peer.events('after=2', asked));
  const poll = b.peer.events('after=2&wait=20');
  // Nothing shows from outside that a poll waits.
  await new Promise((resolve) => setTimeout(resolve, 200));
  await draining.stop();
  expect((await stream).at(-1)).toMatchObject({ type: 'bye', code: 'draining', retry: expect.any(Number) });
  const answer = await poll;
  expect(answer.status).toBe(503);
  expect(answer.headers.get('retry-after')).toMatch(/^[12]$/);
  expect(await answer.json()).toMatchObject({ type: 'error', code: 'draining', retry: expect.any(Number) });
});

describe('a batch', () => {
  const chat = (n: number): Fields => ({ type: 'chat', n, text: `text ${n}` });
  const replies = async (peer: HttpPeer, messages: unknown[]) => {
    const { status, json } = await peer.post('messages', messages);
    return { status, ...(json as { messages: Fields[] }) };
  };

  test('is applied in order and acknowledged once', async () => {
    const { other, peer } = await pair(site.direct.http);
    const five = [1, 2, 3, 4, 5].map(chat);
    expect(await replies(peer, five)).toEqual({ status: 200, messages: [{ type: 'ack', n: 5 }] });
    for (const { text } of five) expect(await other.inbox.take('chat')).toMatchObject({ text });
  });

  test('continues after a final refusal, which no acknowledgement hides', async () => {
    const { other, peer } = await pair(site.direct.http);
    const lost = { type: 'chat', n: 2, text: 'to nobody', to: 'nobody' };
    expect(await replies(peer, [chat(1), lost, 'nonsense', chat(3), chat(4)])).toMatchObject({
      status: 200,
      messages: [
        { type: 'ack', n: 1 },
        { type: 'error', code: 'unknown-peer', n: 2 },
        { type: 'error', code: 'bad-message' },
        { type: 'ack', n: 4 },
      ],
    });
    for (const n of [1, 3, 4]) expect(await other.inbox.take('chat')).toMatchObject({ text: `text ${n}` });
  });

  test('stops at a message to be sent again: no later one overtakes it', async () => {
    const { other, peer } = await pair(site.direct.http);
    const { messages } = await replies(peer, [chat(1), chat(3), chat(2)]);
    expect(messages).toMatchObject([
      { type: 'ack', n: 1 },
      { type: 'error', code: 'out-of-order', n: 3, retry: 0 },
    ]);
    expect((await replies(peer, [chat(2), chat(3)])).messages).toEqual([{ type: 'ack', n: 3 }]);
    for (const n of [1, 2, 3]) expect(await other.inbox.take('chat')).toMatchObject({ text: `text ${n}` });
  });

  test('of very many messages is answered up to the burst, even if none is valid', async () => {
    const { peer } = await pair(site.direct.http);
    const began = performance.now();
    const { messages } = await replies(
      peer,
      Array.from({ length: 20_000 }, () => 0),
    );
    // The burst of 400, as many refusals, and the 10 000 a second refilled meanwhile.
    const seconds = (performance.now() - began) / 1000;
    expect(messages.length).toBeLessThan(801 + 10_000 * seconds);
    expect(messages.at(-1)).toMatchObject({ code: 'rate-limited' });
  });

  test.each(['http', 'socket'] as const)(
    'of more bytes than --limit-post is refused as too large, by --%s',
    async (listener) => {
      const { other, peer } = await pair(site.direct[listener]);
      const answer = await peer.post('messages', [chat(1), 'x'.repeat(140_000)]);
      expect(answer).toMatchObject({ status: 413, json: { type: 'error', code: 'body-too-large' } });
      expect((await replies(peer, [chat(1)])).messages).toEqual([{ type: 'ack', n: 1 }]);
      await other.inbox.take('chat');
    },
  );
});
