/** A network for one test: a namespace that reaches only this machine, except for what listens on its loopback. */
import { execFileSync } from 'node:child_process';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { networkInterfaces, tmpdir } from 'node:os';
import { join } from 'node:path';

export type Namespace = {
  /** This machine's address in the namespace. */
  host: string;
  /** A program that runs `program` in the namespace, with its arguments. */
  wrap(program: string): string;
  /** Drops every datagram that arrives in the namespace, from now on or no longer. */
  loseUdp(lose: boolean): void;
  remove(): void;
};

let count = 0;
const run = (program: string, ...words: string[]) =>
  execFileSync(program, words, { env: { ...process.env, PATH: `${process.env.PATH}:/usr/sbin:/sbin` } });

/** Needs root, iproute2 and iptables. */
export const createNamespace = (): Namespace => {
  const name = `gk${process.pid % 100_000}n${++count}`;
  const [outside, inside] = [`${name}o`, `${name}i`];
  const network = `10.99.${process.pid % 250}`;
  const directory = mkdtempSync(join(tmpdir(), 'genkan-namespace-'));
  const within = (...words: string[]) => run('ip', 'netns', 'exec', name, ...words);
  run('ip', 'netns', 'add', name);
  run('ip', 'link', 'add', outside, 'type', 'veth', 'peer', 'name', inside, 'netns', name);
  run('ip', 'address', 'add', `${network}.1/24`, 'dev', outside);
  run('ip', 'link', 'set', outside, 'up');
  within('ip', 'address', 'add', `${network}.2/24`, 'dev', inside);
  within('ip', 'link', 'set', inside, 'up');
  within('ip', 'link', 'set', 'lo', 'up');
  // The browsers of this machine report these.
  for (const { family, internal, address } of Object.values(networkInterfaces()).flatMap((all) => all ?? []))
    if (family === 'IPv4' && !internal && address !== `${network}.1`)
      within('ip', 'route', 'add', `${address}/32`, 'via', `${network}.1`);
  return {
    host: `${network}.1`,
    wrap(program) {
      const file = join(directory, 'inside');
      writeFileSync(file, `#!/bin/sh\nexec ip netns exec ${name} ${program} "$@"\n`);
      chmodSync(file, 0o755);
      return file;
    },
    loseUdp: (lose) => void within('iptables', lose ? '-I' : '-D', 'INPUT', '-p', 'udp', '-j', 'DROP'),
    remove() {
      run('ip', 'netns', 'delete', name);
      rmSync(directory, { recursive: true });
    },
  };
};
