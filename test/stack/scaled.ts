/** The stack with the profile scale: several apps that share their rooms. */

import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect } from 'vitest';
import { z } from 'zod';
import { freePort } from '../setup/free-port.ts';
import { freeSubnet, type Stack, startStack } from './compose.ts';

const root = join(import.meta.dirname, '../..');
const run = promisify(execFile);
const place = z.tuple([
  z.looseObject({
    NetworkSettings: z.looseObject({ Networks: z.record(z.string(), z.looseObject({ IPAddress: z.string() })) }),
  }),
]);

export type Replica = { container: string; address: string };
export type Scaled = Stack & {
  /** The running apps. */
  replicas(): Promise<Replica[]>;
  docker(...words: string[]): Promise<string>;
  /** Runs commands of the guide unchanged, for this project. */
  sh(script: string): Promise<string>;
};

export const startScaled = async (replicas: number): Promise<Scaled> => {
  const files = ['test/stack/direct.yml'];
  const environment = {
    COMPOSE_PROFILES: 'scale',
    APP_REPLICAS: String(replicas),
    GENKAN_STORE: 'valkey://genkan@valkey:6379',
    GENKAN_STORE_PASSWORD: 'of-the-test',
    GENKAN_SUBNET: await freeSubnet(),
    GENKAN_PORT: `127.0.0.1:${await freePort()}`,
  };
  const stack = await startStack({ files, environment });
  const docker = async (...words: string[]) => (await run('docker', words)).stdout.trim();
  return {
    ...stack,
    url: `http://${environment.GENKAN_PORT}`,
    docker,
    async sh(script) {
      const COMPOSE_FILE = ['docker-compose.yml', ...files].join(':');
      const env = { ...process.env, ...environment, COMPOSE_PROJECT_NAME: stack.project, COMPOSE_FILE };
      return (await run('bash', ['-euc', script], { cwd: root, env })).stdout;
    },
    async replicas() {
      const ids = (await stack.compose('ps', '-q', 'app')).split('\n').filter(Boolean);
      return Promise.all(
        ids.map(async (container) => {
          const [{ NetworkSettings }] = place.parse(JSON.parse(await docker('inspect', container)));
          return { container, address: NetworkSettings.Networks[`${stack.project}_default`]?.IPAddress ?? '' };
        }),
      );
    },
  };
};

/** The app that served each room, according to nginx's log, which Docker may show a moment after the response. */
export const served = async (stack: Scaled, rooms: string[], mark: string): Promise<Map<string, string>> => {
  for (const room of rooms) await fetch(`${stack.url}/rooms/${room}`, { headers: { 'user-agent': mark } });
  const lines = async () =>
    (await stack.compose('logs', '--no-log-prefix', 'nginx')).split('\n').filter((line) => line.includes(mark));
  await expect.poll(lines, { timeout: 10_000 }).toHaveLength(rooms.length);
  return new Map(
    (await lines()).map((line) => JSON.parse(line)).map(({ path, app }) => [path.split('/').at(-1), app.split(':')[0]]),
  );
};
