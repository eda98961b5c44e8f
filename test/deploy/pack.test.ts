/** `npm pack` includes the tested lock file, and npm installs from it unchanged. */
import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';

const root = join(import.meta.dirname, '../..');
const place = mkdtempSync(join(tmpdir(), 'genkan-pack-'));
const [checkout, unpacked] = [join(place, 'checkout'), join(place, 'package')];
const json = (...path: string[]) => JSON.parse(readFileSync(join(...path), 'utf8'));
const npm = (cwd: string, ...words: string[]) =>
  execFileSync('npm', ['--loglevel=error', '--cache', join(place, 'cache'), ...words], { cwd, encoding: 'utf8' });

type Locked = { version: string; dev?: boolean; resolved?: string };
const packages: Record<string, Locked> = json(root, 'package-lock.json').packages;
const needed = Object.fromEntries(Object.entries(packages).filter(([path, { dev }]) => path !== '' && !dev));

beforeAll(() => {
  mkdirSync(checkout);
  for (const part of ['package.json', 'package-lock.json', 'deploy', 'nginx'])
    cpSync(join(root, part), join(checkout, part), { recursive: true });
  npm(checkout, 'pack', '--pack-destination', place);
  execFileSync('tar', ['-xzf', join(place, `genkan-${json(root, 'package.json').version}.tgz`), '-C', place]);
}, 60_000);
afterAll(() => rmSync(place, { recursive: true }));

test('npm pack contains the runtime packages, each with version and checksum, and no others', () => {
  const { '': own, ...others } = json(unpacked, 'npm-shrinkwrap.json').packages;
  expect(others).toEqual(needed);
  expect(Object.keys(others).length).toBeGreaterThan(20);
  expect(own.dependencies).toEqual(json(root, 'package.json').dependencies);
  expect(own.devDependencies).toBeUndefined();
  for (const { integrity, resolved } of Object.values<{ integrity?: string; resolved?: string }>(others))
    expect([integrity, resolved]).toEqual([expect.stringMatching(/^sha512-/), undefined]);
});

test('the shrinkwrap file does not stay in the checkout, where it would override package-lock.json', () => {
  expect(existsSync(join(checkout, 'npm-shrinkwrap.json'))).toBe(false);
});

test('deploy/install.sh installs exactly those packages', () => {
  const script = readFileSync(join(unpacked, 'deploy/install.sh'), 'utf8');
  const [, before = '', ci = ''] = /in_release "\$npm (pkg delete \w+) && \$npm (ci [^"]+)"/.exec(script) ?? [];
  npm(unpacked, ...before.split(' '));
  const output = npm(unpacked, ...ci.split(' '), '--dry-run', '--offline', '--ignore-scripts', '--no-audit');
  const added = [...output.matchAll(/^add (\S+ \S+)$/gm)].map(([, text]) => text);
  const wanted = Object.entries(needed).map(
    ([path, { version }]) => `${path.split('node_modules/').at(-1)} ${version}`,
  );
  expect(added.sort()).toEqual(wanted.sort());
});
