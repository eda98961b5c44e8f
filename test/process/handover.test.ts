/** A reload while peers are connected: rooms, sessions and acknowledged messages continue in the next worker. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type TestPeer, WebSocketPeer } from '../../app/conform/peers.ts';
import { plainHttp } from '../../app/conform/transports.ts';
import { childrenOf, type Program, type Stage, stage, until } from './program.ts';
import { follow, talk, upTo } from './talk.ts';

let here: Stage;
beforeEach(() => {
  here = stage();
});
afterEach(() => here.clear());

const start = async (...more: string[]): Promise<{ program: Program; base: string }> => {
  const program = here.start(['--master', '--http', '127.0.0.1:0', '--drain-timeout', '5', ...more]);
  const { address } = await program.logged('listening');
  return { program, base: `http://${address}` };
};

describe('a reload', () => {
  test('loses no acknowledged message, repeats none, and keeps every seat', async () => {
    const { program, base } = await start('--message-rate', '100000', '--message-burst', '100000');
    const [speaker, listener] = [new WebSocketPeer(base, 'r'), new WebSocketPeer(base, 'r')];
    await speaker.join();
    await listener.join();
    const count = 3000;
    const spoken = talk(speaker, count);
    const received = follow(listener, `${count}`);
    for (let nth = 1; nth <= 3; nth += 1) {
      program.child.kill('SIGHUP');
      await program.logged('reloaded', nth);
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    await spoken;
    expect(await received).toEqual(upTo(count));
    const byes = listener.inbox.of('bye');
    // A bye sent while its peer was reconnecting did not reach it.
    expect(byes.length).toBeGreaterThan(0);
    for (const { code, retry } of byes) {
      expect(code).toBe('draining');
      expect(retry).toBeGreaterThanOrEqual(500);
    }
    expect(speaker.inbox.of('peer-left')).toEqual([]);
    for (const peer of [speaker, listener]) peer.dispose();
  });

  test('keeps decisions of hosts, the lobby, and peers on plain HTTP', async () => {
    const { program, base } = await start('--poll-grace', '20');
    const [host, guest] = [new WebSocketPeer(base, 'r'), plainHttp.peer(base, 'r')];
    await host.join();
    await guest.join();
    await host.sendMany([
      { type: 'lock', access: 'knock' },
      { type: 'passcode', passcode: 'sesame' },
    ]);
    while ((await host.inbox.take('ack')).n < 2);
    const waiting: TestPeer = new WebSocketPeer(base, 'r');
    await waiting.knock({ passcode: 'sesame' });
    program.child.kill('SIGHUP');
    await program.logged('reloaded');
    expect(await host.resume()).toMatchObject({
      recovered: true,
      self: { role: 'host' },
      room: { access: 'knock', passcode: true },
      waiting: [{ id: waiting.id }],
    });
    const again = new WebSocketPeer(base, 'r');
    expect(await again.knock({ session: waiting.session, after: 5 })).toMatchObject({ self: { id: waiting.id } });
    await host.send({ type: 'admit', peer: waiting.id });
    expect(await again.admitted()).toMatchObject({ self: { id: waiting.id } });
    expect(await guest.resume()).toMatchObject({ recovered: true });
    expect((await guest.inbox.take('peer-joined')).peer.id).toBe(waiting.id);
    for (const peer of [host, guest, again]) peer.dispose();
  });

  test('whose successor dies while it starts affects no connected peer', async () => {
    const { program, base } = await start();
    const [first, second] = [new WebSocketPeer(base, 'r'), new WebSocketPeer(base, 'r')];
    await first.join();
    await second.join();
    const known = childrenOf(program.pid);
    program.child.kill('SIGHUP');
    await until(() => childrenOf(program.pid).length > known.length);
    for (const pid of childrenOf(program.pid)) if (!known.includes(pid)) process.kill(pid, 'SIGKILL');
    await program.logged('reload failed; current workers keep running');
    await first.send({ type: 'chat', text: 'still here' });
    expect(await second.inbox.take('chat')).toMatchObject({ text: 'still here' });
    for (const peer of [first, second]) {
      expect(peer.inbox.of('bye')).toEqual([]);
      peer.dispose();
    }
  });
});
