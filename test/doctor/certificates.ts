/** A certificate authority trusted only by these tests, and certificates of all kinds issued by it. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Paths of PEM files. */
export type Files = { chain: string; key: string };
export type Order = { name?: string; from?: Date; to?: Date };
export type Authority = {
  /** Its own certificate. */
  readonly file: string;
  /** For `localhost`, and valid for a year, unless given otherwise. */
  issue(order?: Order): Files;
  /** The same through an intermediate authority; the file has only the first of the two certificates. */
  issueWithoutChain(): Files;
  /** Self-signed. */
  selfSigned(): Files;
  remove(): void;
};

const year = 365 * 86_400_000;

export const createAuthority = (): Authority => {
  const directory = mkdtempSync(join(tmpdir(), 'genkan-authority-'));
  const path = (name: string) => join(directory, name);
  let count = 0;
  const openssl = (...words: string[]) => {
    const { status, stderr } = spawnSync('openssl', words, { cwd: directory, encoding: 'utf8' });
    if (status !== 0) throw new Error(`openssl ${words.join(' ')}: ${stderr}`);
  };
  const ask = (name: string, extension: string, ...more: string[]): Files & { request: string } => {
    count += 1;
    const [key, request, chain] = ['key', 'request', 'chain'].map((what) => path(`${count}-${what}.pem`));
    const kind = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
    const files = { key: key ?? '', request: request ?? '', chain: chain ?? '' };
    const out = more.includes('-x509') ? files.chain : files.request;
    const subject = ['-subj', `/CN=${name}`, '-addext', extension];
    openssl('req', ...more, ...kind, ...subject, '-keyout', files.key, '-out', out);
    return files;
  };
  const sign = (by: Files, { request, chain, key }: Files & { request: string }, { from, to }: Order = {}): Files => {
    writeFileSync(path('ca.conf'), configuration(by));
    const life = [from ?? new Date(Date.now() - year), to ?? new Date(Date.now() + year)].map(inAsn1);
    const dates = ['-startdate', life[0] ?? '', '-enddate', life[1] ?? ''];
    openssl('ca', '-batch', '-notext', '-config', path('ca.conf'), ...dates, '-in', request, '-out', chain);
    return { chain, key };
  };
  const names = (name: string) => `subjectAltName=DNS:${name}`;
  writeFileSync(path('index.txt'), '');
  let made: Files | undefined;
  const root = (): Files => {
    made ??= ask('Tests', 'basicConstraints=critical,CA:TRUE', '-x509', '-days', '9');
    return made;
  };
  return {
    get file() {
      return root().chain;
    },
    issue: (order = {}) => sign(root(), ask(order.name ?? 'localhost', names(order.name ?? 'localhost')), order),
    issueWithoutChain: () => {
      const between = sign(root(), ask('Between', 'basicConstraints=critical,CA:TRUE'));
      return sign(between, ask('localhost', names('localhost')));
    },
    selfSigned: () => ask('localhost', names('localhost'), '-x509', '-days', '90'),
    remove: () => rmSync(directory, { recursive: true }),
  };
};

export const pemOf = (file: string): string => readFileSync(file, 'utf8');

/** The date format of `openssl ca`: YYYYMMDDHHMMSSZ. */
const inAsn1 = (date: Date): string => `${date.toISOString().replaceAll(/\D/g, '').slice(0, 14)}Z`;

const configuration = ({ chain, key }: Files): string => `
[ca]
default_ca = own
[own]
database = index.txt
new_certs_dir = .
rand_serial = yes
unique_subject = no
default_md = sha256
copy_extensions = copyall
policy = any
certificate = ${chain}
private_key = ${key}
[any]
commonName = supplied
`;
