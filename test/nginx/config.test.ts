/** The shipped nginx configuration: it is what the command writes, and every version of nginx takes it as it is. */
import { cp, readdir, rm } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { Files } from '../../app/nginx/situation.ts';
import { nginxFiles } from '../../app/ops/nginx.ts';
import { type Installed, nginxes } from '../setup/nginxes.ts';
import { prepare, shipped, testConfiguration } from './nginx.ts';

const deploy = join(shipped, '../deploy');

const floorVersion = ['--nginx-version', '1.22.0'];
const filesOf = (...words: string[]): Files => {
  const found = nginxFiles([...floorVersion, ...words], {});
  if ('faults' in found) throw new Error(found.faults.join('; '));
  return found.files;
};

/** What compose mounts as snippets/genkan-app.conf, and the words that write it. */
const mounted = {
  'app-uwsgi.conf': ['--upstream', 'app:3031', '--resolver', '127.0.0.11'],
  'app-http.conf': ['--protocol', 'http', '--upstream', 'app:9090', '--resolver', '127.0.0.11'],
  'app-unix.conf': ['--upstream', '/run/genkan/genkan.sock'],
};

describe('what is shipped is what the command writes (vitest -u writes it anew)', () => {
  test('nginx/: the defaults', async () => {
    const files = filesOf();
    const there = (await configurations(shipped)).map((file) => relative(shipped, file));
    expect(there.sort()).toEqual([...files.keys()].sort());
    for (const [path, text] of files) await expect(text).toMatchFileSnapshot(join(shipped, path));
  });

  test('deploy/nginx/: the compose files’ ways to reach the app', async () => {
    expect((await readdir(join(deploy, 'nginx'))).sort()).toEqual(Object.keys(mounted).sort());
    for (const [file, words] of Object.entries(mounted)) {
      const text = filesOf(...words).get('snippets/genkan-app.conf');
      await expect(text).toMatchFileSnapshot(join(deploy, 'nginx', file));
    }
  });
});

for (const by of nginxes)
  describe.skipIf(by.version === undefined)(`what is shipped is sound for ${by.name}`, () => {
    const port = 8080;
    const app = { kind: 'uwsgi', address: '127.0.0.1:3031' } as const;

    test.each(Object.keys(mounted))('with what compose mounts: %s', async (file) => {
      const prefix = await prepare({ by, words: floorVersion, app, port });
      await cp(join(deploy, 'nginx', file), join(prefix, 'snippets/genkan-app.conf'));
      await expectSound(prefix, by);
    });

    test('copied beside a site that exists', async () => {
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
