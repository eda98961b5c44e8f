/** Workers that share a store and, without nginx, an address: any of them serves any peer, and the death of one loses nothing. */

import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { WebSocketPeer } from '../../app/conform/peers.ts';
import { freePort } from '../setup/free-port.ts';
import { without } from '../setup/without.ts';
import { type Server, startServer } from '../store/server.ts';
import { type Stage, stage } from './program.ts';
import { follow, talk, upTo } from './talk.ts';

describe.skipIf(without('redis-server'))('workers with a store', () => {
  let here: Stage;
  let server: Server;
  const peers: WebSocketPeer[] = [];
  beforeEach(async () => {
    here = stage();
    server = await startServer();
  });
  afterEach(async () => {
    for (const peer of peers.splice(0)) peer.dispose();
    await here.clear();
    await server.stop();
  });

  /** Peers of one room, at least one on each worker, and the worker of each. */
  const spread = async (base: string) => {
    const workers = new Map<WebSocketPeer, string>();
    while (new Set(workers.values()).size < 2) {
      const peer = new WebSocketPeer(base, 'garden');
      peers.push(peer);
      await peer.join();
      const held = JSON.parse(String(await server.ask(['HGET', 'genkan:{garden}', `p:${peer.id}`])));
      workers.set(peer, held.presence.worker);
    }
    return workers;
  };

  test('share the --http address, and take over from one that is killed', async () => {
    const port = await freePort();
    const flags = ['--processes', '2', '--http', `127.0.0.1:${port}`, '--max-peers', '200'];
    const program = here.start([...flags, '--store', server.url, '--store-lease', '3']);
    const pids = [(await program.logged('listening', 1)).pid, (await program.logged('listening', 2)).pid];
    await spread(`http://127.0.0.1:${port}`);
    const [first, last] = [peers[0], peers.at(-1)];
    if (!first || !last) throw new Error('no peer joined');
    await first.send({ type: 'chat', text: 'before' });
    expect(await last.inbox.take('chat')).toMatchObject({ text: 'before' });
    process.kill(pids[0] ?? 0, 'SIGKILL');
    await vi.waitUntil(() => peers.some(({ closed }) => closed), { timeout: 10_000 });
    const [lost, kept] = [peers.filter(({ closed }) => closed), peers.filter(({ closed }) => !closed)];
    const speaker = kept[0];
    if (!speaker) throw new Error('everyone was at the worker that was killed');
    await speaker.send({ type: 'chat', text: 'meanwhile' });
    for (const peer of lost) {
      expect(await peer.resume()).toMatchObject({ recovered: true, self: { id: peer.id } });
      await vi.waitUntil(() => peer.inbox.of('chat').at(-1)?.text === 'meanwhile', { timeout: 10_000 });
    }
    for (const peer of peers) expect(peer.inbox.of('peer-left')).toEqual([]);
  });

  test('are replaced one by one at a reload: every peer is asked to reconnect, and no event is lost or repeated', {
    timeout: 90_000,
  }, async () => {
    const port = await freePort();
    const rates = ['--message-rate', '100000', '--message-burst', '100000', '--drain-timeout', '5'];
    const flags = ['--processes', '2', '--http', `127.0.0.1:${port}`, '--store', server.url, ...rates];
    const program = here.start(flags);
    await program.logged('listening', 2);
    const count = 400;
    const pair = () => [0, 1].map(() => new WebSocketPeer(`http://127.0.0.1:${port}`, `room-${peers.length}`));
    const spoken: Promise<void>[] = [];
    const received: Promise<string[]>[] = [];
    for (let room = 0; room < 3; room += 1) {
      const [speaker, listener] = pair() as [WebSocketPeer, WebSocketPeer];
      peers.push(speaker, listener);
      await speaker.join();
      await listener.join();
      spoken.push(talk(speaker, count, { atOnce: 4, pause: 5 }));
      received.push(follow(listener, `${count}`));
    }
    for (let nth = 1; nth <= 2; nth += 1) {
      program.child.kill('SIGHUP');
      await program.logged('reloaded', nth, 35_000);
    }
    await Promise.all(spoken);
    for (const texts of await Promise.all(received)) expect(texts).toEqual(upTo(count));
    const byes = peers.flatMap((peer) => peer.inbox.of('bye'));
    expect(byes.length).toBeGreaterThan(0);
    expect(new Set(byes.map(({ code }) => code))).toEqual(new Set(['draining']));
    // Not all at once.
    expect(new Set(byes.map(({ retry }) => retry)).size).toBeGreaterThan(1);
    for (const peer of peers) expect(peer.inbox.of('peer-left')).toEqual([]);
  });
});
