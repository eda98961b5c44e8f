/** A Valkey (or Redis) server for this test, on its own port, that can be stopped, killed and restarted. */

import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { createClient } from '@redis/client';
import { freePort } from '../setup/free-port.ts';

/** The server for tests that name no other: TEST_VALKEY, or Debian's redis-server. */
const usual = process.env.TEST_VALKEY ?? 'redis-server';

export type Server = Awaited<ReturnType<typeof startServer>>;

/** @param flags such as `--requirepass x`; without any nothing is kept on disk */
export const startServer = async (flags: string[] = [], program = usual) => {
  const directory = mkdtempSync(join(tmpdir(), 'genkan-store-'));
  const port = await freePort();
  let child: ChildProcess;
  const start = async (): Promise<void> => {
    const fixed = ['--port', String(port), '--bind', '127.0.0.1', '--dir', directory, '--save', ''];
    child = spawn(program, [...fixed, ...flags], { stdio: 'ignore' });
    await answers(port, program);
  };
  const end = async (signal: NodeJS.Signals): Promise<void> => {
    const ended = new Promise((resolve) => child.once('exit', resolve));
    child.kill(signal);
    await ended;
  };
  await start();
  return {
    url: `valkey://127.0.0.1:${port}`,
    port,
    start,
    kill: () => end('SIGKILL'),
    pause: () => child.kill('SIGSTOP'),
    resume: () => child.kill('SIGCONT'),
    /** One command, such as `['FLUSHALL']`. */
    async ask(command: string[]): Promise<unknown> {
      const client = createClient({ url: `redis://127.0.0.1:${port}` });
      client.on('error', () => {});
      await client.connect();
      try {
        return await client.sendCommand(command);
      } finally {
        client.destroy();
      }
    },
    async stop(): Promise<void> {
      if (child.exitCode === null && child.signalCode === null) await end('SIGKILL');
      rmSync(directory, { recursive: true, force: true });
    },
  };
};

/** Three primaries that form a cluster; `url` is that of one of them. */
export const startCluster = async (flags: string[] = [], program = usual) => {
  const start = async () => {
    const bus = String(await freePort());
    const cluster = ['--cluster-enabled', 'yes', '--cluster-node-timeout', '2000', '--cluster-port', bus];
    return { ...(await startServer([...cluster, ...flags], program)), bus };
  };
  const nodes = [await start(), await start(), await start()] as const;
  const shares = ['0 5460', '5461 10922', '10923 16383'];
  for (const [at, node] of nodes.entries()) {
    await node.ask(`CLUSTER ADDSLOTSRANGE ${shares[at]}`.split(' '));
    await node.ask(`CLUSTER MEET 127.0.0.1 ${nodes[0].port} ${nodes[0].bus}`.split(' '));
  }
  const knows = async (node: Server): Promise<boolean> => {
    const info = String(await node.ask(['CLUSTER', 'INFO']));
    return info.includes('cluster_state:ok') && info.includes('cluster_known_nodes:3');
  };
  for (const node of nodes) while (!(await knows(node))) await sleep(50);
  return {
    url: nodes[0].url,
    nodes,
    async stop(): Promise<void> {
      for (const node of nodes) await node.stop();
    },
  };
};

const answers = async (port: number, program: string): Promise<void> => {
  for (let tries = 0; tries < 200; tries += 1) {
    const there = await new Promise<boolean>((resolve) => {
      const socket = connect(port, '127.0.0.1');
      socket.once('error', () => resolve(false));
      // While it loads it answers -LOADING.
      socket.once('data', (data) => {
        socket.destroy();
        resolve(/^(\+PONG|-NOAUTH)/.test(data.toString()));
      });
      socket.write('PING\r\n');
    });
    if (there) return;
    await sleep(25);
  }
  throw new Error(`${program} does not answer`);
};
