/**
 * The number of workers that deploy/install.sh remembers is that of the service and of nginx's site, also after failures. The script runs
 * with its paths below a temporary directory and stubs for the system's programs; stack/server.long.test.ts runs it on a real system.
 */
import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';

const deploy = join(import.meta.dirname, '../../deploy');
let root: string;
const at = (path: string) => join(root, path);
const read = (path: string) => readFileSync(at(path), 'utf8');
const write = (path: string, text: string) => {
  mkdirSync(dirname(at(path)), { recursive: true });
  writeFileSync(at(path), text, { mode: 0o755 });
};

/** A file with this name makes the program fail. */
const failures = { settings: 'invalid-settings', site: 'rejected-site', start: 'broken-start' };

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'genkan-install-'));
  const below = (script: string) => script.replaceAll(/(?<![\w/])\/(?=(?:opt|etc|var|usr\/local)\/)/g, `${root}/`);
  for (const part of ['systemd', 'runtime.txt'])
    cpSync(join(deploy, part), at(`source/deploy/${part}`), { recursive: true });
  write('source/deploy/install.sh', below(readFileSync(join(deploy, 'install.sh'), 'utf8')));
  write('source/package-lock.json', '{}\n');
  for (const path of [
    'etc/logrotate.d',
    'etc/nginx/conf.d',
    'etc/nginx/snippets',
    'usr/local/bin',
    'var/lib',
    'etc/systemd/system',
  ])
    mkdirSync(at(path), { recursive: true });
  for (const name of ['useradd', 'chown', 'getent', 'curl']) write(`bin/${name}`, '#!/bin/sh\n');
  write('bin/id', '#!/bin/sh\necho 0\n');
  write('bin/systemd-run', `#!/bin/sh\n[ ! -e ${at(failures.settings)} ]\n`);
  write('bin/nginx', `#!/bin/sh\n[ "$1" != -t ] || [ ! -e ${at(failures.site)} ]\n`);
  // `broken-start` has a line of the unit or a part of the release's name with which the service does not start.
  const unit = at('etc/systemd/system/genkan.service.d/workers.conf');
  const started = `cat ${unit}; readlink ${at('opt/genkan/current')}`;
  const starts = `[ ! -e ${at(failures.start)} ] || ! { ${started}; } | grep -qF "$(cat ${at(failures.start)})"`;
  write('bin/systemctl', `#!/bin/sh\ncase $* in *is-active*) exit 0 ;; 'restart genkan.service') ${starts} ;; esac\n`);
});
afterEach(() => rmSync(root, { recursive: true }));

const run = (words: string) => {
  const env = {
    ...process.env,
    PATH: `${at('bin')}:${process.env.PATH}`,
    NPM_CONFIG_REGISTRY: 'https://packages.invalid',
  };
  const { status, stdout, stderr } = spawnSync('sh', [at('source/deploy/install.sh'), ...words.split(' ')], {
    env,
    encoding: 'utf8',
  });
  return { status, output: stdout + stderr };
};
/** Gives the sources another version, and builds its release. */
const release = (version: string) => {
  write('source/package.json', `{\n  "version": "${version}",\n}\n`);
  const [, name = ''] = /Building (\S+) in/.exec(run('--dry-run').output) ?? [];
  expect(name).toContain(version);
  cpSync(at('source/deploy'), at(`opt/genkan/${name}/deploy`), { recursive: true });
  write(`opt/genkan/${name}/bin/node`, '#!/bin/sh\n');
  const site = 'while [ "$1" != --out ]; do [ "$1" != --upstream ] || echo "server $2;"; shift; done';
  write(
    `opt/genkan/${name}/bin/genkan`,
    `#!/bin/sh\nfor out; do :; done\nmkdir $out/snippets\n{ ${site}; } >$out/snippets/genkan-app.conf\n`,
  );
  return name;
};
/** The number of workers: remembered, started, with a socket of systemd, in nginx's site. */
const workers = () => ({
  remembered: Number(read('etc/genkan/workers')),
  started: Number(/GENKAN_PROCESSES=(\d+)/.exec(read('etc/systemd/system/genkan.service.d/workers.conf'))?.[1]),
  sockets: 1 + (read('etc/systemd/system/genkan.socket.d/workers.conf').match(/ListenStream/g) ?? []).length,
  site: (read('etc/nginx/snippets/genkan-app.conf').match(/^server/gm) ?? []).length,
});
const all = (count: number) => ({ remembered: count, started: count, sockets: count, site: count });
const site = '-- --mode vhost --server-name meet.example';

test('a number of workers is remembered for the next run and for --rollback', () => {
  release('1.0.0');
  expect(run(site)).toMatchObject({ status: 0 });
  expect(workers()).toEqual(all(1));
  expect(run('--workers 3')).toMatchObject({ status: 0 });
  expect(workers()).toEqual(all(3));
  release('2.0.0');
  expect(run(site)).toMatchObject({ status: 0 });
  expect(workers()).toEqual(all(3));
  expect(run('--rollback --workers 2')).toMatchObject({
    status: 2,
    output: 'genkan: --workers: not with --rollback\n',
  });
  expect(run('--rollback')).toMatchObject({ status: 0 });
  expect(workers()).toEqual(all(3));
});

test.each([
  ['the settings are invalid', failures.settings, '', 'invalid settings'],
  ['nginx rejects the site', failures.site, '', 'nginx rejects this site'],
  ['the service does not start with this number', failures.start, 'PROCESSES=2', 'did not start; 1.0.0-'],
])('a number of workers is not changed when %s', (_when, failure, text, message) => {
  release('1.0.0');
  expect(run(`--workers 3 ${site}`)).toMatchObject({ status: 0 });
  write(failure, text);
  expect(run('--workers 2')).toMatchObject({ status: 1, output: expect.stringContaining(message) });
  expect(workers()).toEqual(all(3));
  rmSync(at(failure));
  expect(run('--workers 2')).toMatchObject({ status: 0 });
  expect(workers()).toEqual(all(2));
});

test('a number of workers is not changed when the new release does not start', () => {
  const first = release('1.0.0');
  expect(run(`--workers 3 ${site}`)).toMatchObject({ status: 0 });
  release('2.0.0');
  write(failures.start, '2.0.0');
  expect(run('--workers 2')).toMatchObject({ status: 1, output: expect.stringContaining(`${first} is running again`) });
  expect(workers()).toEqual(all(3));
  expect(existsSync(at('opt/genkan/previous'))).toBe(false);
});

test('a service that does not start is not started again as it was', () => {
  release('1.0.0');
  expect(run(site)).toMatchObject({ status: 0 });
  write(failures.start, '1.0.0');
  rmSync(at('etc/logrotate.d/genkan'));
  const { status, output } = run('--workers 1');
  expect([status, output]).toEqual([1, expect.stringContaining('the service did not start')]);
  expect(output).not.toContain('again');
});
