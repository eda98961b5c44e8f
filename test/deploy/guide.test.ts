/** What deploy/README.md says besides commands: old words that still start something, files that are there, versions that agree. */
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { blocks, guide } from './guide.ts';

const root = join(import.meta.dirname, '../..');
const read = (path: string) => readFileSync(join(root, path), 'utf8');

test('every block is run somewhere, or says why not', () => {
  expect(blocks.length).toBeGreaterThan(20);
  const places = blocks.flatMap((block) => (block.kind === 'not run' ? [] : [block.place]));
  // test/stack/guide.long.test.ts, scale.long.test.ts and deploy/several-hosts.test.ts know these, and the last two have tests of their own.
  const known = [
    'compose',
    'scale',
    'scale-roll',
    'hosts-store',
    'hosts-app',
    'hosts-nginx',
    'ways',
    'tls',
    'server',
    'server-tls',
    'server-end',
    'server-restore',
    'hand',
    'standalone',
  ];
  known.push('acme', 'turn', 'turn-firewall');
  for (const place of places) expect(known).toContain(place);
});

test('every link within the repository leads somewhere', () => {
  const links = [...guide.matchAll(/\]\((?!https?:)([^)#]*)(#[^)]*)?\)/g)];
  const headings = [...guide.matchAll(/^#+ (.+)$/gm)].map(
    ([, text = '']) =>
      `#${text
        .toLowerCase()
        .replaceAll(/[^\w\s-]/g, '')
        .replaceAll(' ', '-')}`,
  );
  for (const [, path = '', anchor] of links)
    if (path) expect([path, existsSync(join(root, 'deploy', path))]).toEqual([path, true]);
    else expect(headings).toContain(anchor);
});

const today = guide
  .slice(guide.indexOf('### From uWSGI'))
  .split('\n')
  .flatMap((line) => {
    const [, , said = ''] = /^\| (.+) \| (.+) \|$/.exec(line) ?? [];
    return [...said.matchAll(/`(genkan --[^`]+)`/g)].map(([, command = '']) => command);
  });
/** Those of the first page that start something. */
const first = [...read('README.md').matchAll(/^npx (genkan --(?!help)[^#\n]+?) +#/gm)].map(
  ([, command = '']) => command,
);

test.each([...today, ...first])('%s is sound', (command) => {
  const words = command.split(' ').slice(1);
  const { status, stderr } = spawnSync(process.execPath, ['dist/cli.js', 'check-config', ...words], {
    cwd: root,
    encoding: 'utf8',
  });
  expect([status, stderr]).toEqual([0, expect.anything()]);
});
test('all of them were found', () => {
  expect(today.length).toBeGreaterThan(6);
  expect(first).toHaveLength(4);
});

test('the Node that install.sh brings is the one that everything here is tested with', () => {
  const { version } = JSON.parse(read('package-lock.json')).packages['node_modules/node'];
  const pinned = [...read('deploy/runtime.txt').matchAll(/^node-linux-\w+ (\S+) sha512-/gm)].map(([, text]) => text);
  expect(pinned).toEqual([version, version]);
});
