/** Ports for servers of tests. */
import { createServer } from 'node:net';

/**
 * A free port that no concurrent `listen(0)` can get, because it is below the ephemeral range (from 32768 on): tests run concurrently, and
 * nginx cannot listen on a port that the system chooses.
 */
export const freePort = async (): Promise<number> => {
  for (;;) {
    const port = 12_000 + Math.floor(Math.random() * 20_000);
    if (given.has(port) || !(await isFree(port))) continue;
    given.add(port);
    return port;
  }
};

/** Nothing listens there yet. */
const given = new Set<number>();

const isFree = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });
