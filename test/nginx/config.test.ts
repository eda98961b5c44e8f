/** The shipped nginx configuration: it is what the command writes, and every version of nginx accepts it. */
import { cp, readdir, rm } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { describe, expect, test } from 'vitest';
import { nginxFiles } from '../../app/commands/nginx.ts';
import type { Files } from '../../app/nginx/site-spec.ts';
import { floor, knows } from '../../app/nginx/version.ts';
import { type Installed, nginxes } from '../setup/nginxes.ts';
import { prepare, shipped, testConfiguration } from './nginx.ts';

const deploy = join(shipped, '../deploy');

const floorVersion = ['--nginx-version', '1.22.0'];
const filesOf = (...words: string[]): Files => {
  const found = nginxFiles([...floorVersion, ...words], {});
  if ('faults' in found) throw new Error(found.faults.join('; '));
  return found.files;
};

const containerVersion = ['--nginx-version', '1.30.6'];
/** The options that write the files of each compose listener. */
const containers = ['--resolver', '127.0.0.11', '--store', 'valkey://valkey', ...containerVersion];
const ways = {
  uwsgi: ['--upstream', 'app:3031', ...containers],
  http: ['--protocol', 'http', '--upstream', 'app:9090', ...containers],
  unix: ['--upstream', '/run/genkan/genkan.sock'],
};
/** The snippets that compose replaces by mounts. */
const mounted = [
  { file: 'app-uwsgi.conf', way: 'uwsgi', snippet: 'snippets/genkan-app.conf' },
  { file: 'workers-uwsgi.conf', way: 'uwsgi', snippet: 'snippets/genkan-workers.conf' },
  { file: 'app-http.conf', way: 'http', snippet: 'snippets/genkan-app.conf' },
  { file: 'workers-http.conf', way: 'http', snippet: 'snippets/genkan-workers.conf' },
  { file: 'app-unix.conf', way: 'unix', snippet: 'snippets/genkan-app.conf' },
] as const;
/** The limits of the container: see `mem_limit` in docker-compose.yml. */
const containerWorkers = ['--worker-processes', '2', '--worker-connections', '4096'];

describe('the shipped files are those that the command writes (vitest -u updates them)', () => {
  test('nginx/: the defaults', async () => {
    const files = filesOf();
    const there = (await configurations(shipped)).map((file) => relative(shipped, file));
    expect(there.sort()).toEqual([...files.keys()].sort());
    for (const [path, text] of files) await expect(text).toMatchFileSnapshot(join(shipped, path));
  });

  test('deploy/nginx/: the listeners of the compose files', async () => {
    const names = [...mounted.map(({ file }) => file), 'nginx.conf'];
    expect((await readdir(join(deploy, 'nginx'))).sort()).toEqual(names.sort());
    const main = filesOf(...containerWorkers).get('nginx.conf');
    await expect(main).toMatchFileSnapshot(join(deploy, 'nginx/nginx.conf'));
    for (const { file, way, snippet } of mounted) {
      const text = filesOf(...ways[way]).get(snippet);
      await expect(text).toMatchFileSnapshot(join(deploy, 'nginx', file));
    }
  });

  test.each(Object.keys(ways) as (keyof typeof ways)[])('the mounts of compose are all that differs: %s', (way) => {
    const defaults = filesOf(...containerVersion);
    const files = filesOf(...ways[way], ...containerVersion);
    const differing = [...files].flatMap(([path, text]) => (text === defaults.get(path) ? [] : [path]));
    expect(mounted.flatMap((mount) => (mount.way === way ? [mount.snippet] : []))).toEqual(differing);
  });
});

for (const by of nginxes)
  describe.skipIf(by.version === undefined)(`the shipped files are valid for ${by.name}`, () => {
    const port = 8080;
    const app = { kind: 'uwsgi', address: '127.0.0.1:3031' } as const;

    // Containers have a recent nginx.
    const isNew = knows(by.version ?? floor).resolve;
    test.each(isNew ? Object.keys(ways) : ['unix'])('with the mounts of compose: %s', async (wanted) => {
      const prefix = await prepare({ by, words: floorVersion, app, port });
      for (const { file, way, snippet } of mounted)
        if (way === wanted) await cp(join(deploy, 'nginx', file), join(prefix, snippet));
      await expectSound(prefix, by);
    });

    test('copied next to an existing site', async () => {
      const sites = () =>
        `server { listen 127.0.0.1:${port} default_server; server_name other.example; root /var/www; }`;
      await expectSound(await prepare({ by, words: floorVersion, app, port, sites }), by);
    });
  });

const expectSound = async (prefix: string, by: Installed) => {
  const { code, output } = testConfiguration(prefix, by);
  await rm(prefix, { recursive: true });
  expect(output).not.toMatch(/\[(warn|emerg|alert|error)\]/);
  expect(code).toBe(0);
};

const configurations = async (folder: string): Promise<string[]> => {
  const entries = await readdir(folder, { recursive: true });
  return entries.filter((name) => name.endsWith('.conf')).map((name) => join(folder, name));
};
