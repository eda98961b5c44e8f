/** The part of the spec that only one of the transports can show. */
import { expect, test } from 'vitest';
import { errors } from '../../app/protocol/errors.ts';
import { HttpPeer, type TestPeer, WebSocketPeer } from './peers.ts';

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
