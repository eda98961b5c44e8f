/** A TCP proxy that injects network faults: frozen (like an unplugged cable), slow, or redirected. */
import { connect, createServer, type Socket } from 'node:net';

/** `host:port`, or the path of a unix socket. */
type Target = { port: number; host: string } | { path: string };

export type Wire = {
  port: number;
  /** Nothing passes, and neither side is notified. Data in flight waits. */
  freeze(): void;
  thaw(): void;
  /** Latency in ms, in each direction. */
  delay(ms: number): void;
  /** The address for new connections; existing ones end. */
  lead(target: Target): void;
  close(): Promise<void>;
};

export const startWire = async (first: Target): Promise<Wire> => {
  let target = first;
  let frozen = false;
  let slower = 0;
  const lines = new Set<Socket>();
  const thawed = new Set<() => void>();

  const pass = (from: Socket, to: Socket): void => {
    // One timer after the other, in order, even if the delay changes meanwhile.
    let last = Promise.resolve();
    const after = (act: () => void): void => {
      const due = performance.now() + slower;
      last = last.then(async () => {
        const wait = due - performance.now();
        if (wait > 0) await new Promise((resolve) => setTimeout(resolve, wait));
        while (frozen) await new Promise<void>((resolve) => thawed.add(resolve));
        act();
      });
    };
    from.on('data', (data) => after(() => to.write(data)));
    from.on('close', () => after(() => to.destroy()));
    from.on('error', () => {});
  };

  const server = createServer((near) => {
    if (!server.listening) return void near.destroy();
    // While frozen no connection is established, and a client that has given up by then never connected.
    if (!frozen) return join(near);
    const early: Buffer[] = [];
    const keep = (data: Buffer) => void early.push(data);
    near.on('data', keep);
    near.on('error', () => {});
    thawed.add(() => {
      near.off('data', keep);
      if (!near.destroyed && !near.readableEnded) join(near, early);
    });
  });
  const join = (near: Socket, early: Buffer[] = []): void => {
    const far = connect(target);
    for (const line of [near, far]) {
      line.setNoDelay(true);
      lines.add(line);
      line.on('close', () => lines.delete(line));
    }
    for (const data of early) far.write(data);
    pass(near, far);
    pass(far, near);
  };
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', 4096, resolve));
  const bound = server.address();
  return {
    port: typeof bound === 'object' && bound ? bound.port : 0,
    freeze() {
      frozen = true;
    },
    thaw() {
      frozen = false;
      for (const go of [...thawed]) go();
      thawed.clear();
    },
    delay(ms) {
      slower = ms;
    },
    lead(next) {
      target = next;
      for (const line of lines) line.destroy();
    },
    async close() {
      const closed = new Promise((resolve) => server.close(resolve));
      for (const line of lines) line.destroy();
      await closed;
    },
  };
};
