/** Back-pressure in both directions, measured: what one side does not read is not kept in this process. */
import { once } from 'node:events';
import type { Socket } from 'node:net';
import { Readable } from 'node:stream';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { describe, expect, test } from 'vitest';
import { type Address, connectTo } from '../uwsgi/client.ts';
import { headOf, type Kind, pause, serveAs } from './listener.ts';

const chunk = Buffer.alloc(64 * 1024, 'x');
const megabyte = 1024 * 1024;
const count = 20;

setFlagsFromString('--expose-gc');
const collectGarbage: () => void = runInNewContext('gc');
/** Buffers are freed one turn after their objects. */
const held = async (): Promise<number> => {
  for (let round = 0; round < 3; round++) {
    collectGarbage();
    await pause(20);
  }
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
};

describe.each(['http', 'socket'] as const)('--%s', (kind) => {
  test(`limits memory for ${count} clients that do not read 100 MB each`, async () => {
    let made = 0;
    const endless = () =>
      Readable.from(
        (function* () {
          for (let at = 0; at < 1600; at++) {
            made += chunk.length;
            yield Buffer.from(chunk);
          }
        })(),
        { objectMode: false },
      );
    const { address } = await serveAs(kind, (_request, response) => void endless().pipe(response), {
      idleTimeout: 60_000,
    });
    const before = await held();
    const clients = await connectAll(address, kind, (socket) => socket.pause());
    await pause(500);
    const grown = (await held()) - before;
    // The kernel's buffers take up to some megabytes for each; objects of this process may hold a few chunks.
    expect(made).toBeLessThan(count * 10 * megabyte);
    if (process.env.SHOW_FIGURES) console.log(kind, 'download', { grown: grown / count, made: made / count });
    expect(grown / count).toBeLessThan(megabyte);
    for (const socket of clients) socket.destroy();
  });

  test(`limits memory for ${count} uploads of 10 MB to handlers that do not read yet`, async () => {
    const sockets: Socket[] = [];
    const go = Promise.withResolvers<void>();
    const { address } = await serveAs(kind, async (request, response) => {
      sockets.push(request.socket);
      await go.promise;
      let length = 0;
      for await (const part of request) length += part.length;
      response.end(String(length));
    });
    const before = await held();
    const length = 160 * chunk.length;
    const clients = await connectAll(address, kind, () => {}, length);
    const answers = clients.map(async (socket) => {
      for (let at = 0; at < 160; at++) if (!socket.write(chunk)) await once(socket, 'drain');
      const [answer]: Buffer[] = await once(socket, 'data');
      return answer?.toString();
    });
    await pause(500);
    const read = sockets.reduce((sum, { bytesRead }) => sum + bytesRead, 0);
    expect(sockets).toHaveLength(count);
    expect(read / count).toBeLessThan(megabyte);
    const grown = (await held()) - before;
    if (process.env.SHOW_FIGURES) console.log(kind, 'upload', { grown: grown / count, read: read / count });
    expect(grown / count).toBeLessThan(megabyte);
    go.resolve();
    for (const answer of await Promise.all(answers)) expect(answer).toMatch(new RegExp(`${length}$`));
  });
});

const connectAll = (address: Address, kind: Kind, prepare: (socket: Socket) => void, length?: number) =>
  Promise.all(
    Array.from({ length: count }, async () => {
      const socket = connectTo(address);
      await once(socket, 'connect');
      prepare(socket);
      const body = length === undefined ? {} : { method: 'POST', vars: { CONTENT_LENGTH: String(length) } };
      socket.write(headOf(kind, body));
      return socket;
    }),
  );
