/** A killed worker loses its rooms, and its peers get their ids again. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { HttpPeer, type TestPeer, WebSocketPeer } from '../../app/conform/peers.ts';
import { plainHttp, webSocket } from '../../app/conform/transports.ts';
import { childrenOf, genkan, type Program, type Stage, stage } from './program.ts';

let here: Stage;
const peers: TestPeer[] = [];
beforeEach(() => {
  here = stage();
});
afterEach(async () => {
  for (const peer of peers.splice(0)) peer.dispose();
  await here.clear();
});

const start = async (...more: string[]): Promise<{ program: Program; base: string }> => {
  const program = here.start(['--master', '--http', '127.0.0.1:0', ...more]);
  const { address } = await program.logged('listening');
  return { program, base: `http://${address}` };
};

/** At the address that the supervisor holds, clients wait for the next worker. */
const killWorker = async (program: Program): Promise<void> => {
  const [pid = 0] = childrenOf(program.pid);
  process.kill(pid, 'SIGKILL');
  await program.logged('respawning worker');
};
const knownAs = <Peer extends TestPeer>(peer: Peer): Peer => {
  peers.push(peer);
  return peer;
};

for (const { name, peer: make, tags } of [
  { ...webSocket, tags: [] },
  { ...plainHttp, tags: ['slow'] },
])
  describe(`by ${name}, with rooms in memory,`, { tags }, () => {
    test('peers get their ids again with new epochs, and receive no earlier events', async () => {
      const { program, base } = await start();
      const [first, second] = [knownAs(make(base, 'r')), knownAs(make(base, 'r'))];
      await first.join();
      const { peers: before } = await second.join();
      const epoch = before[0]?.epoch ?? 0;
      const ids = [first.id, second.id];
      const sessions = [first.session, second.session];
      await first.send({ type: 'chat', text: 'of the room before' });
      await second.inbox.take('chat');
      await first.cut();
      await second.cut();
      await killWorker(program);

      // The others reconnect in any order; the first becomes host.
      const back = await second.resume();
      expect(back).toMatchObject({ recovered: false, self: { id: ids[1], role: 'host' }, peers: [] });
      expect(back.chat).toBeUndefined();
      const then = await first.resume();
      expect(then).toMatchObject({ recovered: false, self: { id: ids[0], role: 'guest' }, peers: [{ id: ids[1] }] });
      expect([first.id, second.id]).toEqual(ids);
      expect(first.session).not.toBe(sessions[0]);
      const [pair] = then.peers;
      expect(pair?.epoch).toBeGreaterThan(epoch + 1000);

      await first.send({ type: 'signal', to: second.id, epoch, data: 'of before' });
      expect(await first.inbox.take('error')).toMatchObject({ code: 'stale-epoch' });
      await first.send({ type: 'signal', to: second.id, epoch: pair?.epoch, data: 'of now' });
      await second.send({ type: 'chat', text: 'and of now' });
      expect(await second.inbox.take('signal')).toMatchObject({ data: 'of now' });
      expect(await first.inbox.take('chat')).toMatchObject({ text: 'and of now' });
    });

    test('a peer that missed its new secret gets its seat too, and no peer is listed twice', async () => {
      const { program, base } = await start();
      const [first, second] = [knownAs(make(base, 'r')), knownAs(make(base, 'r'))];
      await first.join();
      await second.join();
      const { id, session } = first;
      await first.cut();
      await second.cut();
      await killWorker(program);
      await second.resume();
      await first.resume();
      // As if that response had been lost; by now the room has as many events as the earlier one.
      for (let n = 0; n < 9; n += 1) await second.send({ type: 'chat', text: `${n}` });
      const again = knownAs(make(base, 'r'));
      expect(await again.join({ session, after: 3 })).toMatchObject({ recovered: false, self: { id } });
      const watcher = knownAs(make(base, 'r'));
      const { peers: there } = await watcher.join();
      expect(there.map((peer) => peer.id).sort()).toEqual([id, second.id].sort());
    });
  });

test('a session proves only the id: not in another room, not past a lock, not in place of a token', async () => {
  const secret = 'a-shared-secret-of-forty-characters-0001';
  const { program, base } = await start('--auth', 'token', '--token-secret', secret);
  const token = (...more: string[]) =>
    genkan('token', '--token-secret', secret, '--room', 'r*', '--ttl', '1m', ...more).stdout.trim();
  const host = knownAs(new WebSocketPeer(base, 'r', { token: token('--role', 'host') }));
  const guest = knownAs(new WebSocketPeer(base, 'r'));
  await host.join();
  await guest.join({ token: token() });
  const { id, session } = guest;
  await killWorker(program);
  await guest.closing();
  // It has no seat any more, and so needs a token.
  await expect(guest.resume()).rejects.toMatchObject({ code: 'token-missing' });
  await host.closing();
  expect(await host.resume()).toMatchObject({ self: { role: 'host' } });
  await host.send({ type: 'lock', access: 'locked' });
  await host.inbox.take('ack');
  const back = knownAs(new WebSocketPeer(base, 'r', { token: token() }));
  await expect(back.join({ session, after: 2 })).rejects.toMatchObject({ code: 'room-locked' });
  await host.send({ type: 'lock', access: 'open' });
  await host.inbox.take('ack');
  expect(await back.join({ session, after: 2 })).toMatchObject({ recovered: false, self: { id, role: 'guest' } });
  const elsewhere = knownAs(new WebSocketPeer(base, 'r2', { token: token() }));
  expect((await elsewhere.join({ session, after: 2 })).self.id).not.toBe(id);
});

test('a session signed with --session-key is valid after a restart, and on other hosts', async () => {
  const flags = ['--session-key', 'a-session-key-of-forty-characters-000001'];
  const one = await start(...flags);
  const peer = knownAs(new HttpPeer(one.base, 'r'));
  await peer.join();
  const { id, session } = peer;
  const [same, other] = [await start(...flags), await start()];
  const there = knownAs(new WebSocketPeer(same.base, 'r'));
  expect(await there.join({ session, after: 1 })).toMatchObject({ recovered: false, self: { id } });
  const elsewhere = knownAs(new WebSocketPeer(other.base, 'r'));
  expect((await elsewhere.join({ session, after: 1 })).self.id).not.toBe(id);
});
