/** A network that can be cut: a TCP proxy to the server, which a test stops and starts. */
import { connect, createServer, type Socket } from 'node:net';

export type Cuttable = { url: string; cut(): void; mend(): void; close(): void };

/** @param host where it listens */
export const startCuttable = async (target: string, host = '127.0.0.1'): Promise<Cuttable> => {
  const { hostname, port } = new URL(target);
  const open = new Set<Socket>();
  let whole = true;
  const server = createServer((client) => {
    if (!whole) {
      client.destroy();
      return;
    }
    const upstream = connect(Number(port), hostname);
    for (const [from, to] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      open.add(from);
      from.pipe(to);
      from.on('error', () => to.destroy());
      from.on('close', () => {
        open.delete(from);
        to.destroy();
      });
    }
  });
  await new Promise<void>((resolve) => server.listen(0, host, resolve));
  const bound = server.address();
  const cut = () => {
    whole = false;
    for (const socket of open) socket.destroy();
  };
  return {
    url: `http://${host}:${typeof bound === 'object' ? bound?.port : 0}`,
    cut,
    mend: () => {
      whole = true;
    },
    close: () => {
      cut();
      server.close();
    },
  };
};
