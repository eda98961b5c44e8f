/** The nginx versions to test: those of Debian's releases that nginxes.sh unpacked, and the machine's own if its version is another. */
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import { parseVersion, type Version } from '../../app/nginx/version.ts';
import { missing } from './without.ts';

/**
 * `command`: how it is started. `modules`: the directory of modules of other packages. One without a version is not installed: its tests
 * are skipped and counted.
 */
export type Installed = { name: string; version: Version | undefined; command: string; modules?: string };
type There = Installed & { version: Version };

const cache = process.env.NGINX_CACHE || '/var/cache/genkan-nginx';
/** Debian installs it where only root's PATH has it. */
export const env = { ...process.env, PATH: [process.env.PATH, '/usr/sbin', '/usr/local/sbin'].join(delimiter) };

const versionOf = (output: string): Version | undefined => parseVersion(/nginx\/([\d.]+)/.exec(output)?.[1] ?? '');

/** The machine's own, used by all tests that request no other; undefined if there is none. */
const findOwn = (): There | undefined => {
  const version = versionOf(spawnSync('nginx', ['-v'], { env, encoding: 'utf8' }).stderr ?? '');
  return (
    version && { name: `nginx ${version.join('.')}`, version, command: 'nginx', modules: '/usr/lib/nginx/modules' }
  );
};

const unpacked = (): There[] =>
  (existsSync(cache) ? readdirSync(cache) : []).flatMap((suite) => {
    const root = join(cache, suite);
    const output = join(root, 'version');
    const version = existsSync(output) ? versionOf(readFileSync(output, 'utf8')) : undefined;
    const name = `nginx ${version?.join('.')} (Debian ${suite})`;
    return version && !suite.endsWith('.part')
      ? [{ name, version, command: join(root, 'nginx'), modules: join(root, 'usr/lib/nginx/modules') }]
      : [];
  });

const inOrder = (a: There, b: There): number =>
  a.version.map((part, index) => part - (b.version[index] ?? 0)).find((difference) => difference !== 0) ?? 0;

const there = unpacked().sort(inOrder);
const own = findOwn();
const isNew = own && !there.some(({ version }) => version.join() === own.version.join());

export const nginxes: Installed[] = [
  ...(isNew ? [own] : []),
  ...there,
  ...[...missing]
    .filter((name) => name.startsWith('nginx-'))
    .map((name) => ({ name: name.replace('-', ' of Debian '), version: undefined, command: 'none' })),
];

/** A curl with HTTP/3, if one was unpacked with them. */
export const findCurl = (): string | undefined =>
  there
    .map(({ command }) => join(dirname(command), 'curl'))
    .findLast((command) => spawnSync(command, ['--version'], { encoding: 'utf8' }).stdout?.includes('HTTP3'));
