/** Two workers whose store is unavailable: joins and messages are refused for now, sessions are kept, nothing is lost or duplicated. */
import { afterEach, describe, expect, test, vi } from 'vitest';
import { HttpPeer, type TestPeer, WebSocketPeer } from '../../app/conform/peers.ts';
import { eventStream, plainHttp, webSocket } from '../../app/conform/transports.ts';
import { errors } from '../../app/protocol/errors.ts';
import { without } from '../setup/without.ts';
import { type Server, startServer } from '../store/server.ts';
import { type Site, startSite } from './site.ts';
import { specSettings } from './spec.ts';

/** Polls again when it was refused for now. */
class PatientPeer extends HttpPeer {
  protected override async listen(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await super.listen(signal);
      expect(this.inbox.of('error').at(-1)).toMatchObject({ code: 'store-unavailable' });
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
}

describe.skipIf(without('redis-server'))('a store that is unavailable', () => {
  let server: Server;
  const workers: Site[] = [];
  const peers: TestPeer[] = [];
  const start = async (flags: string[], settings: string[] = []) => {
    server = await startServer(flags);
    const all = [...specSettings, '--grace', '30', '--poll-grace', '10', '--store', server.url, ...settings];
    for (let n = 0; n < 2; n += 1) workers.push(await startSite(all));
  };
  const kept = <P extends TestPeer>(peer: P): P => {
    peers.push(peer);
    return peer;
  };
  const at = (worker: number) => workers[worker]?.direct.http ?? '';
  const readiness = async (worker: number) => {
    const answer = await fetch(`${at(worker)}/readyz`);
    return [answer.status, (await answer.json()).status];
  };
  const until = (condition: () => unknown) => vi.waitUntil(condition, { timeout: 20_000, interval: 20 });
  afterEach(async () => {
    for (const peer of peers.splice(0)) peer.dispose();
    for (const worker of workers.splice(0)) await worker.stop();
    await server.stop();
  });

  /** Sends a text until it is settled, like a client; → how often it was refused. */
  const insist = async (peer: WebSocketPeer, n: number): Promise<number> => {
    for (let refused = 0; ; refused += 1) {
      const errorsBefore = peer.inbox.of('error').length;
      await peer.send({ type: 'chat', n, text: `text ${n}` });
      await until(() => peer.inbox.of('error').length > errorsBefore || peer.inbox.of('ack').some((ack) => ack.n >= n));
      if (peer.inbox.of('ack').some((ack) => ack.n >= n)) return refused;
      expect(peer.inbox.of('error').at(-1)).toMatchObject({ code: 'store-unavailable', n });
      expect(peer.inbox.of('error').at(-1)?.retry).toBeGreaterThan(0);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  };

  test('and returns with its data', async () => {
    await start(['--appendonly', 'yes', '--appendfsync', 'always']);
    const [one, other] = [kept(new WebSocketPeer(at(0), 'garden')), kept(new WebSocketPeer(at(1), 'garden'))];
    const [poller, streamer] = [kept(new PatientPeer(at(1), 'garden')), kept(eventStream.peer(at(0), 'garden'))];
    for (const peer of [one, other, poller, streamer]) await peer.join();
    await insist(one, 1);
    // Every peer receives events by then.
    for (const peer of [other, poller, streamer]) await until(() => peer.inbox.of('chat').length === 1);
    await server.kill();
    await vi.waitFor(async () => expect(await readiness(0)).toEqual([503, 'store-unavailable']), { timeout: 20_000 });
    const join = '{"type":"join"}';
    const refused = { code: 'store-unavailable', fate: errors['store-unavailable'].close };
    expect(await webSocket.refusal(at(1), 'garden', [join])).toEqual(refused);
    expect(await plainHttp.refusal(at(1), 'garden', [join])).toEqual({ code: 'store-unavailable', fate: 503 });
    const second = insist(one, 2);
    await until(() => one.inbox.of('error').length > 0);
    await server.start();
    expect(await second).toBeGreaterThan(0);
    await insist(one, 3);
    await vi.waitFor(async () => expect(await readiness(1)).toEqual([200, 'ready']), { timeout: 20_000 });
    for (const peer of [other, poller, streamer]) {
      await until(() => peer.inbox.of('chat').length >= 3);
      expect(peer.inbox.of('chat').map(({ text }) => text)).toEqual(['text 1', 'text 2', 'text 3']);
      expect(peer.inbox.of('bye')).toEqual([]);
      expect(peer.inbox.of('peer-away')).toEqual([]);
    }
    expect([one.closed, other.closed]).toEqual([undefined, undefined]);
  });

  test('and returns empty: every peer has to join again', async () => {
    await start([]);
    const [one, other] = [kept(new WebSocketPeer(at(0), 'garden')), kept(new WebSocketPeer(at(1), 'garden'))];
    for (const peer of [one, other]) await peer.join();
    await server.kill();
    await server.start();
    for (const peer of [one, other]) {
      expect((await peer.closing()).code).toBe(errors['session-lost'].close);
      expect(peer.inbox.of('bye')[0]?.retry).toBeGreaterThanOrEqual(errors['session-lost'].retry);
    }
    expect(await one.resume()).toMatchObject({ recovered: false, peers: [] });
    expect(await other.resume()).toMatchObject({ recovered: false, peers: [{ id: one.id }] });
    await insist(one, 1);
    expect(await other.inbox.take('chat')).toMatchObject({ text: 'text 1' });
  });

  test('ends a connection that broke meanwhile as soon as possible', async () => {
    await start(['--appendonly', 'yes', '--appendfsync', 'always']);
    const [one, other] = [kept(new WebSocketPeer(at(0), 'garden')), kept(new WebSocketPeer(at(1), 'garden'))];
    for (const peer of [one, other]) await peer.join();
    await server.kill();
    await vi.waitFor(async () => expect(await readiness(1)).toEqual([503, 'store-unavailable']), { timeout: 20_000 });
    await other.cut();
    await server.start();
    expect(await one.inbox.take('peer-away')).toMatchObject({ peer: other.id });
    expect(await other.resume()).toMatchObject({ recovered: true, self: { id: other.id } });
    await one.inbox.take('peer-back');
  });

  test('for a worker that was frozen for longer than its lease: its peers come back', async () => {
    await start([], ['--store-lease', '3']);
    const [one, other] = [kept(new WebSocketPeer(at(0), 'garden')), kept(new WebSocketPeer(at(1), 'garden'))];
    for (const peer of [one, other]) await peer.join();
    const holds = String(await server.ask(['HGET', 'genkan:{garden}', `p:${other.id}`]));
    const all = (await server.ask(['ZRANGE', 'genkan:workers', '0', '-1'])) as string[];
    const holder = all.find((worker) => holds.includes(worker)) ?? '';
    // As if it had not sent a request for long, each time it is swept.
    while (one.inbox.of('peer-away').length === 0) await server.ask(['ZADD', 'genkan:workers', '1', holder]);
    expect(await one.inbox.take('peer-away')).toMatchObject({ peer: other.id });
    expect(await one.inbox.take('peer-back')).toMatchObject({ peer: other.id });
    expect(other.closed).toBeUndefined();
    await insist(other, 1);
    expect(await one.inbox.take('chat')).toMatchObject({ text: 'text 1' });
  });

  test('the same session on another worker replaces the earlier connection, once', async () => {
    await start([]);
    const [watcher, older] = [kept(new WebSocketPeer(at(0), 'garden')), kept(new WebSocketPeer(at(0), 'garden'))];
    await watcher.join();
    await older.join();
    const newer = kept(new WebSocketPeer(at(1), 'garden'));
    expect(await newer.join({ session: older.session, after: 2 })).toMatchObject({ recovered: true });
    expect((await older.closing()).code).toBe(errors.replaced.close);
    const back = kept(new WebSocketPeer(at(0), 'garden'));
    expect(await back.join({ session: older.session, after: 2 })).toMatchObject({ recovered: true });
    expect((await newer.closing()).code).toBe(errors.replaced.close);
    await insist(watcher, 1);
    await back.inbox.take('chat');
    expect(watcher.inbox.of('peer-away')).toEqual([]);
    expect(back.closed).toBeUndefined();
  });

  test('leaving through another worker ends the connection', async () => {
    await start([]);
    const [one, other] = [kept(new WebSocketPeer(at(0), 'garden')), kept(new WebSocketPeer(at(0), 'garden'))];
    for (const peer of [one, other]) await peer.join();
    const left = await fetch(`${at(1)}/rooms/garden/leave`, {
      method: 'POST',
      headers: { authorization: `Bearer ${other.session}`, 'content-type': 'application/json' },
      body: '{}',
    });
    expect(left.status).toBe(204);
    expect((await other.closing()).code).toBe(errors.left.close);
    expect(await one.inbox.take('peer-left')).toMatchObject({ peer: other.id, reason: 'left' });
  });
});
