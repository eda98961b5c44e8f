/** The model of nginx's hash in test/bench/ring.ts, compared with a real nginx. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Ring } from '../bench/ring.ts';
import { stage } from '../process/program.ts';
import { without } from '../setup/without.ts';
import { ask } from './ask.ts';
import { type Nginx, startNginx } from './nginx.ts';

const rooms = Array.from({ length: 400 }, (_, index) => (index % 2 === 0 ? `room-${index}` : `玄関${index * 7919}`));

/** Responds with the index of the host. */
const startEcho = async (index: number, path?: string) => {
  const server = createServer((_, response) => response.end(String(index)));
  await new Promise<void>((resolve) => server.listen(path ?? { port: 0, host: '127.0.0.1' }, resolve));
  const address = path === undefined ? `127.0.0.1:${(server.address() as AddressInfo).port}` : `unix:${path}`;
  return { address, server };
};

describe.skipIf(without('nginx')).each([{ unix: false }, { unix: true }])(
  'hosts on unix sockets: $unix',
  ({ unix }) => {
    const { directory, path, clear } = stage();
    let echoes: Awaited<ReturnType<typeof startEcho>>[] = [];
    beforeAll(async () => {
      echoes = await Promise.all(
        Array.from({ length: 7 }, (_, index) => startEcho(index, unix ? path(`${index}.sock`) : undefined)),
      );
    });
    afterAll(async () => {
      for (const { server } of echoes) server.close().closeAllConnections();
      await clear();
    });

    const whereRoomsAre = async (addresses: string[]): Promise<string[]> => {
      const [first = '', ...more] = addresses;
      const words = more.flatMap((address) => ['--upstream', address]);
      const nginx: Nginx = await startNginx({ app: { kind: 'http', address: first }, words, publicDir: directory });
      const found: string[] = [];
      for (const room of rooms) found.push((await ask(nginx, `/rooms/${encodeURIComponent(room)}`)).body);
      await nginx.stop();
      return found;
    };

    test.each([7, 6, 2])('nginx and the model choose the same of %i hosts', async (count) => {
      const hosts = echoes.slice(0, count);
      const addresses = hosts.map(({ address }) => address);
      const ring = new Ring(addresses);
      const foretold = rooms.map((room) => String(ring.hostOf(room)));
      expect(new Set(foretold).size).toBe(count);
      expect(await whereRoomsAre(addresses)).toEqual(foretold);
    });

    test('nginx and the model agree after the first host is removed', async () => {
      const addresses = echoes.slice(1).map(({ address }) => address);
      const ring = new Ring(addresses);
      expect(await whereRoomsAre(addresses)).toEqual(rooms.map((room) => String(ring.hostOf(room) + 1)));
    });
  },
);
