/** The part of the spec that only one of the transports can show. */
import { expect, test } from 'vitest';
import { errors } from '../../app/protocol/errors.ts';
import { type Block, eventsIn, HttpPeer, StreamPeer, type TestPeer, WebSocketPeer } from './peers.ts';

/** The limit of one message that the server under test has. */
export const messageBytes = 4096;

/** What only a connection that stays open can show. */
export const describeSockets = (site: () => string, room: () => string, keep: (peer: TestPeer) => void): void => {
  const socket = (name: string): WebSocketPeer => {
    const peer = new WebSocketPeer(site(), name);
    keep(peer);
    return peer;
  };

  test('who does not join in time is told to come back', async () => {
    const idle = socket(room());
    await idle.open();
    expect((await idle.closing()).code).toBe(errors['join-timeout'].close);
    expect(idle.inbox.of('bye')).toMatchObject([{ code: 'join-timeout', retry: 1000 }]);
  });

  test('a newer connection of the session wins, and the older one is told not to come back', async () => {
    const name = room();
    const [watcher, older, newer] = [socket(name), socket(name), socket(name)];
    await watcher.join();
    await older.join();
    const joined = await newer.join({ session: older.session, after: 2 });
    expect(joined).toMatchObject({ recovered: true, self: { id: older.id } });
    expect((await older.closing()).code).toBe(errors.replaced.close);
    await watcher.send({ type: 'chat', text: 'hello' });
    await newer.inbox.take('chat');
    expect(watcher.inbox.of('peer-away')).toEqual([]);
  });

  test('a binary frame ends its connection alone', async () => {
    const name = room();
    const [watcher, odd] = [socket(name), socket(name)];
    await watcher.join();
    await odd.join();
    odd.write(Buffer.from([1, 2, 3]));
    expect((await odd.closing()).code).toBe(errors['bad-json'].close);
    expect(await watcher.inbox.take('peer-left')).toMatchObject({ peer: odd.id, reason: 'error' });
  });

  test('a message far over the limit is cut off by the WebSocket itself', async () => {
    const peer = socket(room());
    await peer.join();
    peer.write('x'.repeat(3 * messageBytes));
    // Whoever stands between may find the connection gone while it still sends, and cut before the Close frame got through.
    expect([1009, 1006]).toContain((await peer.closing()).code);
  });

  test('leave is answered by bye and a final close', async () => {
    const peer = socket(room());
    await peer.join();
    await peer.leave();
    expect(peer.inbox.of('bye')).toMatchObject([{ code: 'left', retry: null }]);
    expect((await peer.closing()).code).toBe(errors.left.close);
  });
};

/** What only separate requests can show. */
export const describeRequests = (site: () => string, room: () => string): void => {
  test('one request for events waits at a time: a newer one ends the older', async () => {
    const peer = new HttpPeer(site(), room());
    await peer.join();
    await peer.cut();
    const older = peer.poll(8);
    await new Promise((resolve) => setTimeout(resolve, 400));
    const newer = peer.poll(1);
    expect(await older).toMatchObject({ status: 409, json: { code: 'replaced' } });
    expect(await newer).toMatchObject({ status: 200, json: { messages: [] } });
  });

  test('a request for events waits no longer than it asked, and not at all for what is there', async () => {
    const name = room();
    const [peer, other] = [new HttpPeer(site(), name), new HttpPeer(site(), name)];
    await peer.join();
    await peer.cut();
    const empty = await peer.poll(1);
    expect(empty).toMatchObject({ status: 200, json: { messages: [] } });
    await other.join();
    expect((await peer.poll(8)).json.messages).toMatchObject([{ type: 'peer-joined', peer: { id: other.id } }]);
    other.dispose();
  });

  test('a request that was long on its way does not end the connection that has come since', async () => {
    const name = room();
    const [older, newer] = [new HttpPeer(site(), name), new WebSocketPeer(site(), name)];
    await older.join();
    await older.cut();
    await newer.join({ session: older.session, after: 1 });
    expect(await older.poll()).toMatchObject({ status: 409, json: { code: 'replaced' } });
    await older.send({ type: 'chat', text: 'alone' });
    expect(older.inbox.of('ack')).toMatchObject([{ n: 1 }]);
    newer.write('{"type":"ping"}');
    await newer.inbox.take('pong');
    expect(newer.inbox.of('bye')).toEqual([]);
    newer.dispose();
  });

  test('requests without a session, or with a wrong one, are nobody’s', async () => {
    const peer = new HttpPeer(site(), room());
    await peer.join();
    await peer.cut();
    const ask = async (authorization: string, rest: string) => {
      const answer = await fetch(`${site()}/rooms/${peer.room}/${rest}`, { headers: { authorization } });
      return { status: answer.status, code: (await answer.json()).code };
    };
    expect(await ask('', 'events?after=0')).toEqual({ status: 401, code: 'not-joined' });
    expect(await ask(`Bearer ${peer.id}.${'x'.repeat(32)}`, 'events?after=0')).toEqual({
      status: 401,
      code: 'unknown-session',
    });
    expect(await ask(`Bearer ${peer.session}`, 'events?after=-1')).toEqual({ status: 400, code: 'bad-message' });
    expect(await ask(`Bearer ${peer.session}`, 'events?after=99999')).toEqual({ status: 410, code: 'events-gone' });
  });
};

class SilentPeer extends HttpPeer {
  protected override async listen(): Promise<void> {}
}

/** What only a stream of events can show. */
export const describeStreams = (site: () => string, room: () => string, keep: (peer: TestPeer) => void): void => {
  const stream = (name: string): StreamPeer => {
    const peer = new StreamPeer(site(), name);
    keep(peer);
    return peer;
  };
  /** One who has joined as the room's second and listens to nothing yet, and the first. */
  const pair = async (name = room()) => {
    const [other, peer] = [stream(name), new SilentPeer(site(), name)];
    await other.join();
    await peer.join();
    return { name, other, peer };
  };
  const asked = { accept: 'text/event-stream' };
  const until = async (blocks: AsyncGenerator<Block>, wanted: (block: Block) => boolean): Promise<Block> => {
    for (;;) {
      // Not by `for await`: leaving that would end the stream.
      const { value, done } = await blocks.next();
      if (done) throw new Error('the stream ended before');
      if (wanted(value)) return value;
    }
  };

  test('a stream begins at once, is not to be kept or gathered, and numbers what has a number', async () => {
    const { other, peer } = await pair();
    const answer = await peer.events('after=2', asked);
    expect(answer.headers.get('content-type')).toBe('text/event-stream');
    expect(answer.headers.get('cache-control')).toBe('no-store');
    const blocks = eventsIn(answer);
    expect((await blocks.next()).value).toEqual({ retry: '1000' });
    await other.send({ type: 'chat', text: 'one\ntwo' });
    const { id, data } = await until(blocks, (block) => block.data !== undefined);
    expect(JSON.parse(data ?? '')).toMatchObject({ type: 'chat', seq: Number(id), text: 'one\ntwo' });
  });

  test('a stream that breaks is noticed at once', async () => {
    const { other, peer } = await pair();
    const blocks = eventsIn(await peer.events('after=2', asked));
    await blocks.next();
    await blocks.return(undefined);
    // Otherwise it would be expected to ask again after twice the ping-interval: later than this test waits.
    await other.inbox.take('peer-away');
    await peer.events('after=2', asked);
    await other.inbox.take('peer-back');
  });

  test('Last-Event-ID goes before the number in the URL', async () => {
    const { other, peer } = await pair();
    for (const text of ['one', 'two']) await other.send({ type: 'chat', text });
    const all = eventsIn(await peer.events('after=2', asked));
    const first = await until(all, ({ data }) => data?.includes('"one"') === true);
    const rest = eventsIn(await peer.events('after=2', { ...asked, 'last-event-id': first.id ?? '' }));
    expect((await until(rest, ({ data }) => data !== undefined)).data).toContain('"two"');
    const wrong = await peer.events('after=2', { ...asked, 'last-event-id': 'x' });
    expect({ status: wrong.status, ...(await wrong.json()) }).toMatchObject({ status: 400, code: 'bad-message' });
  });

  test('heartbeats move the number on, also past what was for others', async () => {
    const { name, other, peer } = await pair();
    const third = stream(name);
    await third.join();
    const blocks = eventsIn(await peer.events('after=2', asked));
    const told = await until(blocks, ({ data }) => data?.includes('peer-joined') === true);
    await other.send({ type: 'chat', text: 'not for all', to: third.id });
    await third.inbox.take('chat');
    const beat = await until(blocks, ({ comment, id }) => comment !== undefined && Number(id) > Number(told.id));
    expect(beat).toEqual({ comment: '', id: String(Number(told.id) + 1) });
  });

  test('one listens at a time: a newer stream ends the older by bye, and so does a poll; a stream ends a poll', async () => {
    const { other, peer } = await pair();
    const ends = async (blocks: AsyncGenerator<Block>) => {
      const { data, id } = await until(blocks, (block) => block.data?.includes('"bye"') === true);
      expect(JSON.parse(data ?? '')).toMatchObject({ code: 'replaced', retry: null });
      expect(id).toBeUndefined();
      expect((await blocks.next()).done).toBe(true);
    };
    const older = eventsIn(await peer.events('after=2', asked));
    const newer = eventsIn(await peer.events('after=2', asked));
    await ends(older);
    const poll = peer.poll(8, undefined, 2);
    await ends(newer);
    const last = await peer.events('after=2', asked);
    expect(await poll).toMatchObject({ status: 409, json: { code: 'replaced' } });
    await other.send({ type: 'chat', text: 'still there' });
    expect((await until(eventsIn(last), ({ data }) => data !== undefined)).data).toContain('still there');
    expect(other.inbox.of('peer-away')).toEqual([]);
  });

  test('a WebSocket of the same session takes over, and plain HTTP takes over from it by joining', async () => {
    const { name, other, peer } = await pair();
    const blocks = eventsIn(await peer.events('after=2', asked));
    const socket = new WebSocketPeer(site(), name);
    keep(socket);
    expect(await socket.join({ session: peer.session, after: 2 })).toMatchObject({ recovered: true });
    expect((await until(blocks, ({ data }) => data?.includes('"bye"') === true)).data).toContain('replaced');
    await peer.send({ type: 'chat', text: 'requests end no WebSocket' });
    await other.inbox.take('chat');
    expect(socket.closed).toBeUndefined();
    // It may have been sent before, and long on its way.
    expect((await peer.events('after=2', asked)).status).toBe(errors.replaced.status);
    expect(await peer.join({ session: peer.session, after: 2 })).toMatchObject({ recovered: true });
    expect(await socket.closing()).toMatchObject({ code: errors.replaced.close });
  });

  test('data that its sender wrote on several lines stays one message', async () => {
    const name = room();
    const [socket, peer] = [new WebSocketPeer(site(), name), stream(name)];
    keep(socket);
    const { self } = await peer.join();
    const { peers } = await socket.join();
    const epoch = peers[0]?.epoch ?? 0;
    socket.write(`{"type":"signal","n":1,"to":"${self.id}","epoch":${epoch},"data":{\r\n"a":\n\n[1,\r2]}}`);
    expect(await peer.inbox.take('signal')).toMatchObject({ data: { a: [1, 2] } });
  });

  test('who may not listen is answered, not streamed to', async () => {
    const { peer } = await pair();
    const refused = async (query: string, headers: Record<string, string> = {}) => {
      const answer = await peer.events(query, { ...asked, ...headers });
      return { status: answer.status, code: (await answer.json()).code };
    };
    expect(await refused('after=99999')).toEqual({ status: 410, code: 'events-gone' });
    expect(await refused('after=0', { authorization: '' })).toEqual({ status: 401, code: 'not-joined' });
    expect(await refused('')).toEqual({ status: 400, code: 'bad-message' });
  });
};
