/** harakiri: the time within which a response must start, and what is exempt. */
import type { Socket } from 'node:net';
import { describe, expect, test } from 'vitest';
import { connectTo, readAll, readAnswer } from '../uwsgi/client.ts';
import { eventually, keepUntilFileEnds } from '../uwsgi/finish.ts';
import { connections } from '../uwsgi/listener.ts';
import { codeOf, collect, exchange, headOf, pause, post, serveAs } from './listener.ts';

keepUntilFileEnds();

describe.concurrent.each(['http', 'socket'] as const)('--%s', (kind) => {
  test('harakiri: a response that does not start is replaced by 503; the handler is notified and may still respond', async () => {
    const closed = Promise.withResolvers<void>();
    const { address, lines, server } = await serveAs(
      kind,
      (_request, response) => {
        response.on('close', closed.resolve);
        setTimeout(() => response.end('late'), 600);
      },
      { harakiri: 200 },
    );
    const raw = await exchange(kind, address, { url: '/slow?token=secret' });
    expect(codeOf(raw)).toEqual([503, 'harakiri']);
    await closed.promise;
    expect(lines).toMatchObject([{ fields: { code: 'harakiri', status: 503, method: 'GET', url: '/slow' } }]);
    expect(JSON.stringify(lines)).not.toContain('secret');
    await pause(600);
    expect(await connections(server)).toBe(0);
  });

  test('harakiri: applies during an upload, and the response to HEAD has no body', async () => {
    const { address } = await serveAs(kind, (request) => void request.resume(), { harakiri: 200 });
    const socket = connectTo(address);
    socket.write(post(kind, 10));
    expect(codeOf(await readAll(socket))).toEqual([503, 'harakiri']);
    expect(readAnswer(await exchange(kind, address, { method: 'HEAD' })).body).toHaveLength(0);
  });

  test('harakiri: a response that has started may take its time', async () => {
    const { address } = await serveAs(
      kind,
      (_request, response) => {
        response.writeHead(200, { 'content-length': '6' }).write('one');
        setTimeout(() => response.end('two'), 500);
      },
      { harakiri: 150 },
    );
    expect(readAnswer(await exchange(kind, address)).body.toString()).toBe('onetwo');
  });

  test('harakiri: does not apply to upgraded connections', async () => {
    const upgraded = Promise.withResolvers<Socket>();
    const { address, server } = await serveAs(kind, () => {}, {
      headerTimeout: 150,
      bodyTimeout: 150,
      idleTimeout: 150,
      harakiri: 150,
    });
    server.on('upgrade', (_request, socket: Socket) => upgraded.resolve(socket));
    const client = connectTo(address);
    const text = collect(client);
    client.write(headOf(kind, { headers: { Connection: 'Upgrade', Upgrade: 'websocket' } }));
    const socket = await upgraded.promise;
    await pause(600);
    socket.write('still here');
    await eventually(() => expect(text()).toBe('still here'));
    socket.destroy();
  });
});
