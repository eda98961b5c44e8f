/** The number of connections of one address, where the peer is the client. */
import { EventEmitter } from 'node:events';
import { connect, Socket } from 'node:net';
import { expect, test } from 'vitest';
import { load } from '../../../app/config/load.ts';
import { addressLimit, connectionsPerAddress } from '../../../app/listener/connection-limit.ts';
import { createLogger } from '../../../app/logging/logger.ts';
import { serve } from '../../../app/serve.ts';
import { atEnd, eventually } from '../uwsgi/finish.ts';

const limit = (max: number) => {
  const lines: object[] = [];
  const admit = addressLimit(max, { warn: (fields) => void lines.push(fields) });
  const open = (remoteAddress: string | undefined) => {
    const socket = Object.create(Socket.prototype, { remoteAddress: { value: remoteAddress } });
    EventEmitter.call(socket);
    return { admitted: admit(socket), close: () => void socket.emit('close') };
  };
  return { open, lines };
};

test('each IPv4 address has its own limit, also in IPv6 notation; a closed connection frees a slot', () => {
  const { open, lines } = limit(2);
  const first = open('192.0.2.1');
  expect([first, open('::ffff:192.0.2.1'), open('192.0.2.1')].map(({ admitted }) => admitted)).toEqual([
    true,
    true,
    false,
  ]);
  expect(open('192.0.2.2').admitted).toBe(true);
  open('192.0.2.1');
  expect(lines).toEqual([{ peer: '192.0.2.1', max: 2 }]);
  first.close();
  expect([open('192.0.2.1').admitted, open('192.0.2.1').admitted]).toEqual([true, false]);
  expect(lines).toHaveLength(2);
});

test('an IPv6 address shares the limit of its /64; a /56 has twice as many, a /48 four times', () => {
  const { open } = limit(2);
  const opened = (network: string, count: number) =>
    Array.from({ length: count }, (_, host) => open(`${network}::${host + 1}`).admitted).filter(Boolean).length;
  expect(opened('2001:db8:1:100', 3)).toBe(2);
  expect(opened('2001:db8:1:101', 3)).toBe(2);
  expect(opened('2001:db8:1:102', 3)).toBe(0);
  expect(opened('2001:db8:1:200', 3)).toBe(2);
  expect(opened('2001:db8:1:300', 3)).toBe(2);
  expect(opened('2001:db8:1:400', 3)).toBe(0);
  expect(opened('2001:db8:2:100', 3)).toBe(2);
});

test('a refused connection is counted nowhere, and closed ones leave nothing behind', () => {
  const { open } = limit(1);
  for (let round = 0; round < 5; round++) {
    const one = open('2001:db8:1:100::1');
    expect([one.admitted, open('2001:db8:1:100::2').admitted]).toEqual([true, false]);
    one.close();
  }
  expect(open('2001:db8:1:1ff::1').admitted).toBe(true);
});

test('without an address there is no limit', () => {
  const { open } = limit(1);
  expect([open(undefined).admitted, open(undefined).admitted]).toEqual([true, true]);
});

test('the default admits a class behind one router, and no address can use all connections', () => {
  expect([65_535, 8192, 1600, 50, 2, 1].map(connectionsPerAddress)).toEqual([8191, 1024, 800, 25, 1, 1]);
  const { open } = limit(connectionsPerAddress(65_535));
  const everyone = Array.from({ length: 200 * 6 }, () => open('192.0.2.1').admitted);
  expect(everyone.every(Boolean)).toBe(true);
});

test('applies to --http only: an address at its limit does not affect others', async () => {
  const flags = ['--http', '127.0.0.1:0', '--http-socket', '127.0.0.1:0', '--max-connections-per-address', '3'];
  const loaded = load([...flags, '--drain-timeout', '1', '--log-level', 'silent'], {});
  if ('faults' in loaded) throw new Error(loaded.faults.join('; '));
  const running = await serve(loaded.settings, createLogger(loaded.settings));
  const sockets: Socket[] = [];
  atEnd(async () => {
    for (const socket of sockets) socket.destroy();
    await running.stop();
  });
  const [http = 0, fronted = 0] = running.listening.map(({ address }) => Number(address.split(':').at(-1)));
  const dial = (port: number, localAddress: string, count: number) => {
    const dialled = Array.from({ length: count }, () => connect({ port, host: '127.0.0.1', localAddress }));
    for (const socket of dialled) socket.on('error', () => {}).resume();
    sockets.push(...dialled);
    return () => dialled.filter(({ destroyed }) => !destroyed).length;
  };
  const [greedy, other, front] = [
    dial(http, '127.0.0.1', 8),
    dial(http, '127.0.0.2', 3),
    dial(fronted, '127.0.0.1', 8),
  ];
  await eventually(() => expect(greedy()).toBe(3));
  expect([other(), front()]).toEqual([3, 8]);
});
