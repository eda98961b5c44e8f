/** `genkan nginx`: what its options write, what it refuses, and what it warns of. */
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { nginxFiles, writeFiles } from '../../app/commands/nginx.ts';
import { genkan } from '../process/program.ts';

const directory = mkdtempSync(join(tmpdir(), 'genkan-command-'));
afterAll(() => rmSync(directory, { recursive: true }));

const current = 'nginx version: nginx/1.30.6\nconfigure arguments: --with-http_v3_module';
const command = (words: string, installed: string | undefined = current) =>
  nginxFiles(words.split(' ').filter(Boolean), {}, () => installed);
/** All written files as one text. */
const written = (words: string, installed?: string): string => {
  const found = command(words, installed);
  if ('faults' in found) throw new Error(found.faults.join('; '));
  return writeFiles(found.files, undefined);
};
const paths = (words: string): string[] => {
  const found = command(words);
  return 'files' in found ? [...found.files.keys()] : found.faults;
};
const faults = (words: string, installed?: string): string[] => {
  const found = command(words, installed);
  return 'faults' in found ? found.faults : [];
};
const notes = (words: string, installed?: string): string[] => command(words, installed).notes;

const tls = '--mode tls --server-name meet.example --certificate /c.pem --certificate-key /k.pem';

describe('the files', () => {
  test.each([
    ['', ['nginx.conf', 'conf.d/genkan.conf'], []],
    ['--mode vhost --server-name a', ['conf.d/genkan.conf'], ['nginx.conf']],
    ['--mode location --base /m/', ['conf.d/00-genkan.conf', 'snippets/genkan-site.conf'], ['nginx.conf']],
    ['--mode behind-proxy --trusted-proxy 10.0.0.1', ['nginx.conf', 'snippets/genkan-real-ip.conf'], []],
    [tls, ['snippets/genkan-tls.conf'], ['snippets/genkan-real-ip.conf']],
    ['--protocol http', [], ['snippets/genkan-uwsgi-params.conf']],
    ['--upstream a.example:1 --upstream /b', ['snippets/genkan-workers.conf'], []],
  ])('are those needed for the options %s', (words, some, none) => {
    const all = paths(words.includes('a.example') ? `${words} --resolver 192.0.2.1` : words);
    expect(all).toEqual(expect.arrayContaining(some));
    for (const path of none) expect(all).not.toContain(path);
    const text = written(words.includes('a.example') ? `${words} --resolver 192.0.2.1` : words);
    for (const path of all.filter((name) => name.startsWith('snippets/') && !name.endsWith('site.conf')))
      expect(text).toMatch(new RegExp(`^\\s*include ${path};`, 'm'));
  });

  test('set an access log in every location that is included into the server block of another site', () => {
    for (const protocol of ['uwsgi', 'http']) {
      const locations = written(`--mode location --base /m/ --protocol ${protocol}`).match(/^location .*?^\}/gms) ?? [];
      expect(locations.map((text) => text.split(' {')[0])).toEqual(expect.arrayContaining(['location @genkan_down']));
      for (const text of locations) expect(text).toMatch(/^ {4}access_log (?:off|\/var\/log\/nginx\/genkan\.)/m);
    }
  });

  test('are printed with their paths, or written with --out', () => {
    const out = join(directory, 'fresh');
    const result = genkan('nginx', '--nginx-version', '1.30.6', '--out', out);
    expect(result).toMatchObject({ status: 0, stderr: '' });
    expect(result.stdout.split('\n')[0]).toBe(join(out, 'nginx.conf'));
    const printed = genkan('nginx', '--nginx-version', '1.30.6').stdout;
    for (const path of result.stdout.trim().split('\n'))
      expect(printed).toContain(`# ${path.slice(out.length + 1)}\n${readFileSync(path, 'utf8').trimEnd()}`);
  });
});

const situations = [
  '',
  `${tls} --http3 --hsts --brotli --acme-webroot /a`,
  '--mode behind-proxy --trusted-proxy ::1 --protocol http',
  '--mode location --base /m/ --socket :1 --processes 2',
];
test('every file states its oldest nginx version, what it changes from the default, and the documentation', () => {
  const seen = new Map<string, string[]>();
  for (const words of situations) {
    const found = command(words);
    if ('faults' in found) throw new Error(found.faults.join('; '));
    for (const [path, text] of found.files) {
      const says = [/nginx \d+\.\d+(?:\.\d+)? or later/, /\bdefault/i, /https:\/\/nginx\.org\/en\/docs\//];
      seen.set(
        path,
        says.flatMap((what) => (what.test(text) ? [] : String(what))),
      );
    }
  }
  expect([...seen].filter(([, missing]) => missing.length > 0)).toEqual([]);
  expect(seen.size).toBe(17);
});

test('an nginx.conf that genkan did not write is kept, and nothing is written', () => {
  const out = join(directory, 'theirs');
  mkdirSync(out);
  writeFileSync(join(out, 'nginx.conf'), 'events {}\n');
  expect(genkan('nginx', '--out', out)).toMatchObject({
    status: 1,
    stdout: '',
    stderr: expect.stringContaining(
      `genkan: --out: ${out}/nginx.conf was not written by Genkan and is kept; use another directory, or --mode vhost\n`,
    ),
  });
  expect(readdirSync(out)).toEqual(['nginx.conf']);
  for (let twice = 0; twice < 2; twice += 1)
    expect(genkan('nginx', '--mode', 'vhost', '--server-name', 'a', '--out', out).status).toBe(0);
});

describe('the upstream', () => {
  test.each([
    ['', 'set $genkan_app 127.0.0.1:3031;', 'uwsgi_pass'],
    ['--protocol http', '    server 127.0.0.1:3031;', 'proxy_pass'],
    ['--socket /run/g.sock', 'set $genkan_app unix:/run/g.sock;', 'uwsgi_pass'],
    ['--http-socket :9090', '    server 127.0.0.1:9090;', 'proxy_pass'],
    ['--http-socket /run/g.sock', '    server unix:/run/g.sock;', 'proxy_pass'],
    ['--socket 0.0.0.0:3031', 'set $genkan_app 127.0.0.1:3031;', 'uwsgi_pass'],
    ['--socket [::]:3031', 'set $genkan_app [::1]:3031;', 'uwsgi_pass'],
    ['--socket :1 --http-socket :2 --protocol http', '    server 127.0.0.1:2;', 'proxy_pass'],
    ['--socket :1 --upstream 192.0.2.7:3', 'set $genkan_app 192.0.2.7:3;', 'uwsgi_pass'],
    ['--upstream app:3031 --resolver 127.0.0.11 --nginx-version 1.26.3', 'resolver 127.0.0.11 valid=2s', 'uwsgi_pass'],
    ['--upstream app:3031 --resolver 127.0.0.11 --nginx-version 1.30.6', 'set $genkan_app genkan;', 'uwsgi_pass'],
  ])('is the given address: %s', (words, line, directive) => {
    const text = written(words);
    expect(text).toContain(`\n${line}`);
    expect(text).toMatch(new RegExp(`^ +${directive} `, 'm'));
  });

  test('lists the workers of the settings, also from a file', () => {
    const file = join(directory, 'app.yaml');
    writeFileSync(file, 'genkan:\n  http-socket: 127.0.0.1:9000\n  processes: 3\n');
    const text = written(`--yaml ${file}`);
    for (const port of [9000, 9001, 9002]) expect(text).toContain(`    server 127.0.0.1:${port} max_fails=0;`);
    expect(written('--socket /run/app.%w.sock --processes 2')).toContain('upstream genkan {');
  });

  test.each([
    ['--protocol http', 60],
    ['--protocol http --upstream /run/g.sock --keep-alive-timeout 3600', 60],
    ['--http-socket :9090 --processes 2 --keep-alive-timeout 20', 15],
    ['--protocol http --upstream app:1 --resolver 127.0.0.11 --nginx-version 1.30.6 --keep-alive-timeout 6', 3],
    ['--protocol http --keep-alive-timeout 5', '2500m'],
    ['--protocol http --keep-alive-timeout 1', '500m'],
  ])('by HTTP keeps connections for less time than the app: %s', (words, time) => {
    const text = written(words);
    expect(text).toContain(`    keepalive 32;\n    keepalive_timeout ${time}s;\n`);
    expect(text).toMatch(/proxy_http_version 1\.1;[^}]*proxy_set_header Connection \$genkan_connection;/);
  });

  test('by uwsgi has no connections to keep, nor by a name that old versions resolve for each request', () => {
    const byName = '--protocol http --upstream app:1 --resolver 127.0.0.11 --nginx-version 1.26.3';
    for (const words of ['', '--processes 2 --socket /run/app.%w.sock', byName])
      expect(written(words)).not.toMatch(/^ *keepalive/m);
  });

  test('retries another worker only if all share a store', () => {
    const several = '--upstream 192.0.2.21:3031 --upstream 192.0.2.22:3031';
    const text = written(`${several} --store valkeys://genkan@192.0.2.20:6379`);
    expect(text).toContain('uwsgi_next_upstream error timeout;\n    uwsgi_next_upstream_tries 2;');
    expect(text).toContain('    server 192.0.2.22:3031;\n');
    const alone = written(several);
    expect(alone).toContain('uwsgi_next_upstream off;');
    expect(alone).toContain('    server 192.0.2.22:3031 max_fails=0;\n');
    expect(written('--store valkey://192.0.2.20')).toContain('uwsgi_next_upstream off;');
  });

  test('has the timeouts and sizes of the app', () => {
    const text = written('--ping-interval 10 --poll-wait 60 --limit-post 65536 --drain-timeout 60');
    expect(text).toContain('uwsgi_read_timeout 65s;');
    expect(text).toContain('client_max_body_size 64k;');
    expect(text).toContain('worker_shutdown_timeout 80s;');
  });
});

test.each([
  ['', 'access.log'],
  [tls, 'access.log'],
  ['--mode vhost --server-name a', 'genkan.access.log'],
  ['--mode location --base /m/', 'genkan.access.log'],
  ['--mode location --base /m/ --access-log /var/log/nginx/meet', 'meet'],
])('requests are logged in one file, with a name of its own next to other sites: %s', (words, name) => {
  const files = written(words).matchAll(/^ +access_log (?!off)(\S+) genkan buffer=/gm);
  expect(new Set([...files].map(([, file]) => file))).toEqual(new Set([`/var/log/nginx/${name}`]));
});

test('IPv6 addresses are listened on, also for the redirect from http', () => {
  const text = written(`${tls} --address 443 --address [::]:443`);
  for (const line of ['listen [::]:443 ssl;', 'listen [::]:443 ssl default_server;', 'listen [::]:80;', 'listen 80;'])
    expect(text).toContain(`    ${line}\n`);
  expect(written(tls)).not.toContain('[::]');
});

describe('the nginx version', () => {
  test.each([
    [tls, '1.22.1', 'listen 443 ssl http2;', 'http2 on;'],
    [tls, '1.26.3', 'http2 on;', 'ssl http2'],
    [`${tls} --http3`, '1.26.3', 'listen 443 quic reuseport default_server;', 'ssl http2'],
    [
      '--upstream a:1 --upstream b:2 --resolver 192.0.2.1',
      '1.30.6',
      'server a:1 max_fails=0 resolve;',
      'set $genkan_app a',
    ],
    ['--upstream a:1 --upstream b:2 --resolver 192.0.2.1', '1.26.3', 'server a:1 max_fails=0;', ' resolve;'],
    ['--upstream a:1 --resolver 192.0.2.1', '1.30.6', 'server a:1 max_fails=0 resolve;', ' consistent;'],
    ['--upstream a:1 --resolver 192.0.2.1 --store valkey://b', '1.30.6', 'server a:1 resolve;', ' max_fails=0'],
    ['--upstream a:1 --resolver 192.0.2.1', '1.26.3', 'set $genkan_app a:1;', 'upstream genkan'],
  ])('selects the directives it supports: %s for %s', (words, version, there, notThere) => {
    const text = written(`${words} --nginx-version ${version}`);
    expect(text).toContain(there);
    expect(text).not.toContain(notThere);
  });

  test('defaults to that of the installed nginx, or the oldest supported', () => {
    expect(written(tls, 'nginx version: nginx/1.22.1')).toContain('ssl http2;');
    const none = nginxFiles(tls.split(' '), {}, () => undefined);
    expect(none.notes).toEqual([
      'nginx was not found; the files are for 1.22.0; for another version pass --nginx-version',
    ]);
  });

  test('known vulnerabilities of nginx are reported with the date of the list', () => {
    expect(notes('', 'nginx version: nginx/1.30.6')).toEqual([]);
    expect(notes('', 'nginx version: nginx/1.31.7')).toEqual([]);
    const [old = ''] = notes('', 'nginx version: nginx/1.22.1');
    expect(old).toContain('has known vulnerabilities (list of October 2026): CVE-2026-42946');
    expect(old).toMatch(
      / Use nginx 1\.30\.6 or later \(mainline: 1\.31\.7\), or check that your distribution has patched/,
    );
    expect(notes('--protocol http', 'nginx version: nginx/1.22.1')[0]).not.toContain('CVE-2026-42946');
    expect(notes('', 'nginx version: nginx/1.30.5')[0]).toMatch(/CVE-2026-93479/);
    expect(notes('', 'nginx version: nginx/1.30.5')[0]).not.toMatch(/CVE-2026-42946|CVE-2026-42533/);
    expect(notes(`${tls} --http3 --nginx-version 1.31.0`)[0]).toMatch(/CVE-2026-42530/);
  });
});

test.each([
  ['--mode tsl', '--mode: must be one of: plain, tls, behind-proxy, vhost, location'],
  ['--servername a', '--servername: there is no such setting; did you mean --server-name?'],
  ['--mode tls --server-name a', '--mode tls needs --certificate'],
  ['--mode tls --certificate /c --certificate-key /k', '--mode tls needs --server-name'],
  ['--mode tls --server-name a --certificate /c', '--certificate: --certificate-key is missing'],
  [
    '--certificate /c --certificate-key /k',
    '--certificate: --mode plain does not use TLS; use --mode tls or --mode vhost',
  ],
  ['--mode vhost', '--mode vhost needs --server-name'],
  ['--mode behind-proxy', /needs --trusted-proxy/],
  [
    '--trusted-proxy 10.0.0.0/8',
    '--trusted-proxy: only with --mode behind-proxy, or --mode vhost without --certificate',
  ],
  ['--trusted-proxy proxy', /^--trusted-proxy: must be an IP address or a network/],
  ['--mode location', '--mode location needs --base: the path of Genkan on your site, such as /meet/'],
  ['--mode location --base /m --server-name a', /^--server-name: not with --mode location/],
  ['--base meet', '--base: must be a path such as /meet/'],
  ['--base /a/../b', '--base: must be a path such as /meet/'],
  ['--base /$x', '--base: must be a path such as /meet/'],
  ['--root /srv/a;b', /^--root: must be an absolute path without spaces/],
  ['--access-log syslog:server=a', /^--access-log: must be an absolute path/],
  ['--server-name ~^x', '--server-name: must be a name such as meet.example, or an IP address, IPv6 in brackets'],
  ['--hsts', '--hsts: needs --certificate or --trusted-proxy, because HSTS works only over https'],
  ['--http3', '--http3: needs --certificate'],
  [
    `${tls} --http3 --nginx-version 1.24.0`,
    '--http3: nginx 1.24.0 does not support HTTP/3; 1.25.0 or later is required',
  ],
  ['--nginx-version 1.18.0', '--nginx-version: nginx 1.18.0 is not supported; 1.22.0 or later is required'],
  ['--nginx-version new', '--nginx-version: must be a version such as 1.26.3'],
  ['--upstream /run/a;b', "unix:/run/a;b: not allowed in nginx's files: no spaces, quotes or any of ; { } \\ $ #"],
  [
    '--upstream fd:3',
    '--upstream: nginx cannot connect to an inherited file descriptor; pass the address it listens on',
  ],
  [
    '--upstream app:3031',
    '--upstream: app:3031 has a host name; pass its DNS server by --resolver, or use an IP address',
  ],
  ['--http :9090', '--http: is for direct browser connections; let the app listen on --socket or --http-socket'],
  ['--socket :1 --protocol http', '--protocol http: the app listens only on --socket; add --http-socket'],
  ['--socket fd:3', '--socket: nginx cannot know this address; pass it by --upstream'],
  ['--socket /run/a.sock --processes 2', /write %w for the worker's number/],
  ['--grace 0', /^--grace: must be a whole number/],
])('%s is refused', (words, fault) => {
  const [first, ...more] = faults(words);
  expect(first).toEqual(typeof fault === 'string' ? fault : expect.stringMatching(fault));
  expect(more).toEqual([]);
});

test('an installed nginx that is too old is refused, and the exit code is 2', () => {
  expect(faults('', 'nginx version: nginx/1.18.0')[0]).toContain(
    'the nginx of this machine: nginx 1.18.0 is not supported',
  );
  expect(genkan('nginx', '--mode', 'tls')).toMatchObject({
    status: 2,
    stdout: '',
    stderr: expect.stringContaining('genkan nginx --help lists its options.'),
  });
  expect(genkan('nginx', '--help').stdout).toContain('--trusted-proxy NETWORK');
});

describe('nginx/README.md', () => {
  const text = readFileSync(join(import.meta.dirname, '../../nginx/README.md'), 'utf8');

  test('every command of it is valid', () => {
    const joined = text.replaceAll(/ \\\n +/g, ' ').replaceAll(/"\$PWD([^"]*)"/g, '/src$1');
    const lines = [...joined.matchAll(/^genkan nginx([^#\n]*)/gm)].map(([, words]) => words);
    expect(lines.length).toBeGreaterThan(8);
    for (const words of lines)
      if (!words?.includes('--help')) expect([words, faults(words ?? '')]).toEqual([words, []]);
  });

  test('mentions every file', () => {
    const everything = [
      tls,
      '--mode location --base /m/ --socket :1 --processes 2',
      '--mode behind-proxy --trusted-proxy ::1',
    ];
    for (const path of everything.flatMap(paths)) expect(text).toContain(path.replace('conf.d/00-', '00-'));
  });
});
