/** The kinds of sites that nginx files are written for, each with what a client sees and what existed before. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe } from 'vitest';
import { type Installed, nginxes } from '../setup/nginxes.ts';
import { pairwise } from '../setup/pairwise.ts';
import { isThorough } from '../setup/without.ts';
import type { Site } from '../signaling/site.ts';
import type { Target } from './ask.ts';
import type { Front } from './nginx.ts';

export type Case = Pick<Front, 'words' | 'sites'> & {
  name: string;
  base: string;
  scheme: 'http' | 'https';
  /** The headers that a proxy in front of nginx adds to every request. */
  proxy?: Record<string, string>;
  /** The response at a path outside Genkan, and for another host; undefined = there is none. */
  elsewhere?: number;
  otherHost?: number;
  /** The client address in the app. */
  client: { address: string; scheme: 'http' | 'https' };
};

/** The listeners of the app behind nginx. `address`: where the app listens. */
export const ways = [
  { kind: 'uwsgi', over: 'TCP', address: 'socket' },
  { kind: 'uwsgi', over: 'a unix socket', address: 'unix' },
  { kind: 'http', over: 'TCP', address: 'http-socket' },
  { kind: 'http', over: 'a unix socket', address: 'http-unix' },
] as const satisfies { kind: Front['app']['kind']; over: string; address: keyof Site['addresses'] }[];
export type Way = (typeof ways)[number];

export const host = 'meet.example';

/** Files of a certificate for hosts, trusted only here, until they are removed. */
export type Certificate = { chain: string; key: string; remove(): void };
export const certificate = (...names: string[]): Certificate => {
  const directory = mkdtempSync(join(tmpdir(), 'genkan-certificate-'));
  const [chain, key] = [join(directory, 'chain.pem'), join(directory, 'key.pem')];
  const [name, ...more] = names.length > 0 ? names : [host];
  const also = [name, ...more].map((one) => `DNS:${one}`).join();
  const subject = ['-subj', `/CN=${name}`, '-addext', `subjectAltName=${also}`, '-days', '2'];
  const kind = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
  const { status, stderr } = spawnSync('openssl', ['req', '-x509', ...kind, ...subject, '-keyout', key, '-out', chain]);
  if (status !== 0) throw new Error(`openssl made no certificate: ${stderr}`);
  return { chain, key, remove: () => rmSync(directory, { recursive: true }) };
};

export const cases = ({ chain, key }: Pick<Certificate, 'chain' | 'key'>, name = host): Case[] => {
  const tls = ['--server-name', name, '--certificate', chain, '--certificate-key', key];
  const direct = { address: '127.0.0.1', scheme: 'http' } as const;
  const secure = { address: '127.0.0.1', scheme: 'https' } as const;
  const other = (port: number, more = '') => `server { listen 127.0.0.1:${port}${more} default_server; return 410; }`;
  const proxied = { 'X-Forwarded-For': '203.0.113.7', 'X-Forwarded-Proto': 'https', 'X-Forwarded-Port': '8443' };
  return [
    { name: 'plain', words: [], base: '/', scheme: 'http', client: direct },
    {
      name: 'plain, for one name, below a path',
      words: ['--server-name', name, '--base', '/meet/'],
      base: '/meet/',
      scheme: 'http',
      elsewhere: 404,
      otherHost: 421,
      client: direct,
    },
    { name: 'tls', words: ['--mode', 'tls', '--hsts', ...tls], base: '/', scheme: 'https', client: secure },
    {
      name: 'tls, below a path',
      words: ['--mode', 'tls', '--base', '/a.b/meet', ...tls],
      base: '/a.b/meet/',
      scheme: 'https',
      elsewhere: 404,
      client: secure,
    },
    {
      name: 'behind-proxy',
      words: ['--mode', 'behind-proxy', '--server-name', name, '--trusted-proxy', '127.0.0.0/8'],
      base: '/',
      scheme: 'http',
      proxy: proxied,
      otherHost: 421,
      client: { address: '203.0.113.7', scheme: 'https' },
    },
    {
      name: 'behind-proxy, below a path',
      words: ['--mode', 'behind-proxy', '--trusted-proxy', '127.0.0.1', '--base', '/meet/'],
      base: '/meet/',
      scheme: 'http',
      proxy: proxied,
      elsewhere: 404,
      client: { address: '203.0.113.7', scheme: 'https' },
    },
    {
      name: 'vhost',
      words: ['--mode', 'vhost', '--server-name', name],
      sites: (port) => other(port),
      base: '/',
      scheme: 'http',
      otherHost: 410,
      client: direct,
    },
    {
      name: 'vhost behind a proxy',
      words: ['--mode', 'vhost', '--server-name', name, '--trusted-proxy', '127.0.0.1'],
      sites: (port) => other(port),
      base: '/',
      scheme: 'http',
      proxy: proxied,
      otherHost: 410,
      client: { address: '203.0.113.7', scheme: 'https' },
    },
    {
      name: 'vhost with a certificate',
      words: ['--mode', 'vhost', ...tls],
      sites: (port) =>
        other(port, ` ssl`).replace('return', `ssl_certificate ${chain}; ssl_certificate_key ${key}; return`),
      base: '/',
      scheme: 'https',
      otherHost: 410,
      client: secure,
    },
    {
      name: 'location',
      words: ['--mode', 'location', '--base', '/meet/'],
      // Common content of sites that must not affect our locations.
      sites: (port) => `server {
        listen 127.0.0.1:${port};
        server_name ${name};
        add_header X-Site theirs;
        location ~ \\.(js|css|svg)$ { return 410; }
        location / { return 410; }
        include snippets/genkan-site.conf;
      }`,
      base: '/meet/',
      scheme: 'http',
      elsewhere: 410,
      client: direct,
    },
  ];
};

export const targetOf = ({ scheme, proxy }: Case, port: number, chain: string): Target => ({
  port,
  headers: { Host: `${host}:${port}`, ...proxy },
  ...(scheme === 'https' ? { tls: { ca: readFileSync(chain, 'utf8'), servername: host } } : {}),
});

export type Combination = { by: Installed; mode: Case; way: Way };

/** Version of nginx × mode × listener: every pair of two of them, or in `npm run test:all` every combination. */
export const combinations = (modes: Case[]): Combination[] => {
  const all = nginxes.flatMap((by) => modes.flatMap((mode) => ways.map((way) => ({ by, mode, way }))));
  return isThorough ? all : pairwise(all, [({ by }) => by, ({ mode }) => mode, ({ way }) => way]);
};

/** Runs the tests for these combinations. */
export const describeEverywhere = (files: Certificate, body: (combination: Combination) => void): void => {
  for (const combination of combinations(cases(files))) {
    const { by, mode, way } = combination;
    describe.skipIf(by.version === undefined)(`${by.name}, ${mode.name}, by ${way.kind} over ${way.over}`, () =>
      body(combination),
    );
  }
};

/** The options of `startNginx` for a mode, without the app. */
export const frontOf = ({ words, sites }: Case): Pick<Front, 'words' | 'sites'> => ({
  ...(words ? { words } : {}),
  ...(sites ? { sites } : {}),
});
