/** Workers that share a store and, without nginx, an address: any of them serves any peer, and the death of one loses nothing. */
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { WebSocketPeer } from '../../app/conform/peers.ts';
import { freePort } from '../nginx/nginx.ts';
import { without } from '../setup/without.ts';
import { type Server, startServer } from '../store/server.ts';
import { type Stage, stage } from './program.ts';

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

  /** Peers of one room, at least one at each worker, and which worker each is at. */
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

  test('share the address of browsers, and take over from one that is killed', async () => {
    const port = await freePort();
    const flags = ['--processes', '2', '--http', `127.0.0.1:${port}`, '--max-peers', '200'];
    const program = here.start([...flags, '--store', server.url, '--store-lease', '3']);
    const pids = [(await program.said('listening', 1)).pid, (await program.said('listening', 2)).pid];
    await spread(`http://127.0.0.1:${port}`);
    const [first, last] = [peers[0], peers.at(-1)];
    if (!first || !last) throw new Error('nobody came');
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
});
