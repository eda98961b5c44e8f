/** A listener that closes: requests that it has not read yet are answered, and its idle connections are closed. */
import { once } from 'node:events';
import { describe, expect, test } from 'vitest';
import { connectTo } from '../uwsgi/client.ts';
import { collect, serveAs } from './listener.ts';

const request = 'GET / HTTP/1.1\r\nHost: example.org\r\n\r\n';

describe.each(['http', 'http-socket'] as const)('--%s', (kind) => {
  /** A connection that is idle after a first request. */
  const idle = async () => {
    const { server, address } = await serveAs(kind, (_, response) => response.end('ok'), { keepAliveTimeout: 60_000 });
    const socket = connectTo(address);
    const received = collect(socket);
    socket.write(request);
    await expect.poll(received).toContain('ok');
    return { server, socket, received, ended: once(socket, 'close'), closed: once(server, 'close') };
  };

  test('a request that has arrived unread is answered, and closes its connection', async () => {
    const { server, socket, received, ended, closed } = await idle();
    socket.write(request);
    server.close();
    await Promise.all([ended, closed]);
    const [, first = '', second = ''] = received().split('HTTP/1.1 200 OK');
    expect([first, second]).toEqual([
      expect.stringMatching(/\r\nConnection: keep-alive\r\n/i),
      expect.stringMatching(/\r\nConnection: close\r\n/i),
    ]);
  });

  test('without a request its idle connection is closed', async () => {
    const { server, ended, closed } = await idle();
    server.close();
    await Promise.all([ended, closed]);
  });
});

test('the connection of a front end that sends a request meanwhile is answered', async () => {
  const { server, address } = await serveAs('http-socket', (_, response) => response.end('ok'));
  const sockets = [connectTo(address), connectTo(address)];
  const received = sockets.map(collect);
  for (const [index, socket] of sockets.entries()) {
    socket.write(request);
    await expect.poll(received[index] ?? (() => '')).toContain('ok');
  }
  server.close();
  sockets[0]?.write(request);
  // The last answer of the first one comes before the front end uses the second one, as nginx does.
  await once(sockets[0] ?? server, 'close');
  sockets[1]?.write(request);
  await once(sockets[1] ?? server, 'close');
  for (const text of received) expect(text().split('HTTP/1.1 200 OK')).toHaveLength(3);
});
