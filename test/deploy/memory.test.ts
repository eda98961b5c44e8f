/** The memory of the containers: a limit of its own for everything that counts towards `mem_limit`, and all of them fit together. */
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { parse } from 'yaml';
import { z } from 'zod';

const root = join(import.meta.dirname, '../..');
const read = (path: string) => readFileSync(join(root, path), 'utf8');

const service = z.looseObject({ mem_limit: z.string().optional(), tmpfs: z.array(z.string()).default([]) });
const project = z.looseObject({ services: z.record(z.string(), service) });
const services = globSync(['docker-compose.yml', 'deploy/compose.*.yml'], { cwd: root }).flatMap((file) =>
  Object.entries(project.parse(parse(read(file).replaceAll('!override', ''), { merge: true })).services),
);

const units: Record<string, number> = { k: 2 ** 10, m: 2 ** 20 };
/** Bytes of a size such as `64m`; undefined without a size. */
const bytesOf = (text: string | undefined): number | undefined => {
  const [, count, unit = ''] = /^(?:\$\{\w+:-)?(\d+)([km])\}?$/.exec(text ?? '') ?? [];
  return count === undefined ? undefined : Number(count) * (units[unit] ?? Number.NaN);
};
const sizeOf = (mount: string): number | undefined => bytesOf(/[:,]size=(\w+)/.exec(mount)?.[1]);
const sum = (numbers: number[]): number => numbers.reduce((total, one) => total + one, 0);

test.each(services.filter(([, { tmpfs }]) => tmpfs.length > 0))(
  'the files in memory of %s have a size, together at most half of its memory',
  (_, { tmpfs, mem_limit: limit }) => {
    const sizes = tmpfs.map(sizeOf);
    expect(sizes).not.toContain(undefined);
    expect(2 * sum(sizes.map(Number))).toBeLessThanOrEqual(bytesOf(limit) ?? 0);
  },
);

test('all that nginx may use at the same time fits into its container', () => {
  const [, nginx] = services.find(([name, { mem_limit: limit }]) => name === 'nginx' && limit !== undefined) ?? [];
  const numberIn = (path: string, pattern: RegExp) => Number(pattern.exec(read(path))?.[1]);
  const main = 'deploy/nginx/nginx.conf';
  const connections = numberIn(main, /worker_processes (\d+);/) * numberIn(main, /worker_connections (\d+);/);
  const posts = numberIn('deploy/nginx/app-uwsgi.conf', /limit_conn genkan_all_posts (\d+);/);
  const zones = [...read('nginx/snippets/genkan-limits.conf').matchAll(/zone=\w+:(\w+)/g)].map(([, size]) =>
    bytesOf(size),
  );
  // Measured with nginx 1.22: a connection with the longest head, a body of 16k and TLS; a body of 64k in memory; nginx itself.
  const used = connections * 61 * 1024 + posts * 63 * 1024 + sum(zones.map(Number)) + 10 * 2 ** 20;
  expect(used + sum(nginx?.tmpfs.map((mount) => Number(sizeOf(mount))) ?? [])).toBeLessThan(
    bytesOf(nginx?.mem_limit) ?? 0,
  );
  // More would change the measured size of a connection.
  expect(read(main)).toContain('large_client_header_buffers 2 8k;');
  expect(read('deploy/nginx/app-uwsgi.conf')).toMatch(
    /client_body_buffer_size 16k;[\s\S]*client_body_buffer_size 64k;/,
  );
});
