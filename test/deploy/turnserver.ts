/** The coturn of this machine with the shipped turnserver.conf on the loopback, with the changes that the test needs. */

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { turnCredential } from '../../app/auth/turn.ts';
import { Relay } from '../../app/doctor/relay.ts';
import { freePort } from '../setup/free-port.ts';
import { TurnClient } from '../stack/turn-client.ts';

export type Coturn = { client(): TurnClient; stop(): Promise<void> };

const secret = 'the-secret-that-signs';
const shipped = join(import.meta.dirname, '../../deploy/turnserver.conf');

/** @param more lines after the shipped ones; of two lines with the same name the later one counts */
export const startCoturn = async (more: string[] = []): Promise<Coturn> => {
  const directory = mkdtempSync(join(tmpdir(), 'genkan-coturn-'));
  const server = { address: '127.0.0.1', port: await freePort() };
  const lines = [
    `listening-port=${server.port}`,
    ...['listening-ip=127.0.0.1', 'relay-ip=127.0.0.1', 'relay-ip=::1', `static-auth-secret=${secret}`],
    ...[`pidfile=${directory}/pid`, `userdb=${directory}/turndb`],
    ...more,
  ];
  const file = join(directory, 'turnserver.conf');
  writeFileSync(file, `${readFileSync(shipped, 'utf8')}\n${lines.join('\n')}\n`);
  const child = spawn('turnserver', ['-c', file], { stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (text) => (output += text));
  const stop = async () => {
    await end(child);
    rmSync(directory, { recursive: true, force: true });
  };
  if (await answers(server.port, child))
    return {
      client: () =>
        new TurnClient(server, turnCredential({ secret, names: 2 }, 'peer', undefined, Date.now() + 60_000)),
      stop,
    };
  await stop();
  throw new Error(`coturn does not answer:\n${output}`);
};

const end = async (child: ChildProcess): Promise<void> => {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, 'exit');
  child.kill('SIGKILL');
  await ended;
};

const answers = async (port: number, child: ChildProcess): Promise<boolean> => {
  for (let tries = 0; tries < 100 && child.exitCode === null; tries += 1) {
    const relay = await Relay.reach({ scheme: 'turn', host: '127.0.0.1', port, transport: 'udp' }, 200);
    const answer = await relay.bind().finally(() => relay.close());
    if (answer) return true;
    await sleep(50);
  }
  return false;
};
