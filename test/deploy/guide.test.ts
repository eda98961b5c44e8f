/** The pages for administrators besides their commands: uWSGI commands that still work, matching versions. */
import { spawnSync } from 'node:child_process';
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { blocks, pages } from './guide.ts';

const root = join(import.meta.dirname, '../..');
const read = (path: string) => readFileSync(join(root, path), 'utf8');

test('the commands of every page are read', () => {
  const files = globSync('deploy/{README.md,docs/*.md}', { cwd: root });
  expect([...pages].sort()).toEqual(files.sort());
});

test('every block is run by a test, or gives a reason', () => {
  expect(blocks.length).toBeGreaterThan(40);
  const places = blocks.flatMap((block) => (block.kind === 'not run' ? [] : [block.place]));
  // Run by test/stack/{guide,scale,acme,turn}.long.test.ts, several-hosts.test.ts, turnserver.test.ts and firewall.test.ts.
  const known = [
    ...['compose', 'ways', 'tls', 'acme', 'scale', 'scale-roll', 'turn', 'turn-firewall', 'connection-firewall'],
    ...['hand', 'standalone'],
    ...['server', 'server-tls', 'server-end', 'server-restore', 'hosts-store', 'hosts-app', 'hosts-nginx'],
  ];
  for (const place of places) expect(known).toContain(place);
});

test('no line has more than 160 characters', () => {
  const long = pages.flatMap((page) =>
    read(page)
      .split('\n')
      .filter((line) => line.length > 160),
  );
  expect(long).toEqual([]);
});

/** The commands of the right-hand column that start something. */
const today = read('deploy/docs/uwsgi.md')
  .split('\n')
  .flatMap((line) => {
    const [, , text = ''] = /^\| (.+) \| (.+) \|$/.exec(line) ?? [];
    return [...text.matchAll(/`(genkan --[^`]+)`/g)].map(([, command = '']) => command);
  });
/** The commands of the first page that start a server. */
const first = [...read('README.md').matchAll(/^npx (genkan --(?!help)[^#\n]+?) +#/gm)].map(
  ([, command = '']) => command,
);

test.each([...today, ...first])('%s has valid settings', (command) => {
  const words = command.split(' ').slice(1);
  const { status, stderr } = spawnSync(process.execPath, ['dist/cli.js', 'check-config', ...words], {
    cwd: root,
    encoding: 'utf8',
  });
  expect([status, stderr]).toEqual([0, expect.anything()]);
});
test('all commands were found', () => {
  expect(today.length).toBeGreaterThan(6);
  expect(first).toHaveLength(4);
});

test('install.sh installs the Node version of the tests', () => {
  const { version } = JSON.parse(read('package-lock.json')).packages['node_modules/node'];
  const pinned = [...read('deploy/runtime.txt').matchAll(/^node-linux-\w+ (\S+) sha512-/gm)].map(([, text]) => text);
  expect(pinned).toEqual([version, version]);
});
