/**
 * `npm run bench:stack`: the image size of the app, the time from `docker compose up` to healthy with the image built and nothing running,
 * and the memory of the app then. Runs in a project of its own, which is removed.
 */

import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { freePort } from '../setup/free-port.ts';
import { freeSubnet } from '../stack/compose.ts';
import { median } from './servers.ts';

const rounds = Number(process.env.ROUNDS ?? 5);
const cwd = join(import.meta.dirname, '../..');
const project = `genkan-bench-${process.pid}`;
const env = {
  ...process.env,
  GENKAN_PORT: `127.0.0.1:${await freePort()}`,
  GENKAN_SUBNET: await freeSubnet(),
};
const docker = async (...words: string[]): Promise<string> =>
  (await promisify(execFile)('docker', words, { cwd, env })).stdout.trim();
const compose = (...words: string[]) => docker('compose', '-p', project, ...words);

await compose('build', '--quiet');
const bytes = Number(await docker('image', 'inspect', '-f', '{{.Size}}', 'genkan'));
const times: number[] = [];
const resident: number[] = [];
try {
  for (let round = 1; round <= rounds; round += 1) {
    process.stderr.write(`round ${round} of ${rounds}\n`);
    const from = performance.now();
    await compose('up', '-d', '--wait');
    times.push((performance.now() - from) / 1000);
    // The init process has PID 1, the app is its child.
    const status = await compose('exec', '-T', 'app', 'sh', '-c', 'cat /proc/[0-9]*/status');
    resident.push(Math.max(...[...status.matchAll(/^VmRSS:\s+(\d+) kB$/gm)].map(([, kB]) => Number(kB))) / 1000);
    await compose('down', '--volumes', '--timeout', '1');
  }
} finally {
  await compose('down', '--volumes', '--timeout', '1');
}
const between = (values: number[]) => `${Math.min(...values).toFixed(1)} to ${Math.max(...values).toFixed(1)}`;
process.stdout.write(`image of the app: ${Math.round(bytes / 1e6)} MB\n`);
process.stdout.write(`docker compose up to healthy: ${median(times).toFixed(1)} s (${between(times)})\n`);
process.stdout.write(`resident memory of the app then: ${Math.round(median(resident))} MB\n`);
