/** The commands of deploy/docs/several-hosts.md as written, on hosts that are network namespaces with those addresses. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { without } from '../setup/without.ts';
import { converse } from '../stack/roaming.ts';
import { blocks, scriptsOf } from './guide.ts';

const root = join(import.meta.dirname, '../..');
const addresses = { store: '192.0.2.20', one: '192.0.2.21', two: '192.0.2.22', nginx: '192.0.2.10' };
const line = { here: '10.213.250.1', nginx: '10.213.250.2' };
type Name = keyof typeof addresses;
const names = Object.keys(addresses) as Name[];
const env = {
  ...process.env,
  PATH: [join(root, 'node_modules/.bin'), process.env.PATH, '/usr/sbin', '/usr/local/bin'].join(delimiter),
};
const tag = `gk${process.pid % 10_000}`;

const run = (...words: string[]): void => {
  const [program = '', ...rest] = words;
  const { status, stderr } = spawnSync(program, rest, { encoding: 'utf8', env });
  if (status !== 0) throw new Error(`${words.join(' ')}: ${stderr}`);
};

/** Hosts on a network of their own; this machine is connected to nginx’s host alone. */
const connectHosts = (): void => {
  run('ip', 'netns', 'add', `${tag}net`);
  const atSwitch = (...words: string[]) => run('ip', '-n', `${tag}net`, ...words);
  atSwitch('link', 'add', 'br0', 'type', 'bridge');
  atSwitch('link', 'set', 'br0', 'up');
  const plug = (port: string): void => {
    run('ip', 'link', 'set', port, 'netns', `${tag}net`);
    atSwitch('link', 'set', port, 'master', 'br0', 'up');
  };
  for (const name of names) {
    const host = `${tag}${name}`;
    run('ip', 'netns', 'add', host);
    run('ip', 'link', 'add', host, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', host);
    plug(host);
    run('ip', '-n', host, 'addr', 'add', `${addresses[name]}/24`, 'dev', 'eth0');
    for (const link of ['lo', 'eth0']) run('ip', '-n', host, 'link', 'set', link, 'up');
  }
  const nginx = `${tag}nginx`;
  run('ip', 'link', 'add', `${tag}a`, 'type', 'veth', 'peer', 'name', 'eth1', 'netns', nginx);
  run('ip', '-n', nginx, 'addr', 'add', `${line.nginx}/30`, 'dev', 'eth1');
  run('ip', '-n', nginx, 'link', 'set', 'eth1', 'up');
  run('ip', 'addr', 'add', `${line.here}/30`, 'dev', `${tag}a`);
  run('ip', 'link', 'set', `${tag}a`, 'up');
};

const missing = without('iproute2', 'nginx', 'valkey-server') || process.getuid?.() !== 0;
describe.skipIf(missing)('the commands of deploy/docs/several-hosts.md', { timeout: 120_000 }, () => {
  let folder: string;
  const children: ChildProcess[] = [];
  const at = (name: Name, ...path: string[]) => join(folder, name, ...path);
  const inside = (name: Name, script: string) => ['netns', 'exec', `${tag}${name}`, 'bash', '-euc', script];
  const sh = (name: Name, script: string) => {
    const { status, stdout, stderr } = spawnSync('ip', inside(name, script), { cwd: at(name), env, encoding: 'utf8' });
    return { status, stdout, stderr };
  };
  const must = (name: Name, script: string): string => {
    const { status, stdout, stderr } = sh(name, script);
    if (status !== 0) throw new Error(`${name}: ${script}: ${stderr}`);
    return stdout;
  };
  const start = async (name: Name, script: string, until: string): Promise<ChildProcess> => {
    const child = spawn('ip', inside(name, script), { cwd: at(name), env, stdio: 'ignore', detached: true });
    children.push(child);
    for (const late = Date.now() + 60_000; sh(name, until).status !== 0; await sleep(300))
      if (Date.now() > late) throw new Error(`${name}: ${script} does not come up`);
    return child;
  };
  const startAsToldFor = (place: string, name: Name) => {
    const block = blocks.find((one) => one.kind === 'start' && one.place === place);
    if (block?.kind !== 'start') throw new Error(`the guide starts nothing for ${place}`);
    return start(name, block.script, block.until);
  };
  /** Everything that was started there. */
  const kill = (child: ChildProcess | undefined): void => {
    if (child?.pid !== undefined && child.exitCode === null && child.signalCode === null)
      process.kill(-child.pid, 'SIGKILL');
  };
  let one: ChildProcess;

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'genkan-hosts-'));
    for (const name of names) {
      mkdirSync(at(name));
      for (const part of ['deploy', 'dist', 'package.json']) symlinkSync(join(root, part), at(name, part));
    }
    connectHosts();
    for (const script of scriptsOf('hosts-store')) must('store', script);
    await startAsToldFor('hosts-store', 'store');
    for (const name of ['one', 'two'] as const)
      for (const file of ['store.pem', 'store.password', 'session.key'])
        copyFileSync(at('store', file), at(name, file));
    [one] = await Promise.all([startAsToldFor('hosts-app', 'one'), startAsToldFor('hosts-app', 'two')]);
    for (const script of scriptsOf('hosts-nginx')) must('nginx', script);
    // Next to this machine’s own nginx: logs and PID file elsewhere.
    for (const part of ['conf.d', 'snippets'])
      for (const file of readdirSync(at('nginx', 'genkan-nginx', part))) {
        const path = at('nginx', 'genkan-nginx', part, file);
        writeFileSync(path, readFileSync(path, 'utf8').replaceAll('/var/log/nginx/', at('nginx', '')));
      }
    const paths = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
      (kind) => `${kind}_temp_path ${at('nginx', kind)};`,
    );
    const main = `user root; daemon off; pid ${at('nginx', 'pid')}; events {} http { ${paths.join(' ')} include conf.d/*.conf; }`;
    writeFileSync(at('nginx', 'genkan-nginx/nginx.conf'), main);
    const nginx = `nginx -e ${at('nginx', 'error.log')} -p ${at('nginx', 'genkan-nginx')} -c nginx.conf`;
    await start('nginx', nginx, `curl -fs -H 'Host: meet.example' http://127.0.0.1/`);
  }, 120_000);
  afterAll(() => {
    for (const child of children) kill(child);
    for (const name of [...names, 'net']) spawnSync('ip', ['netns', 'delete', `${tag}${name}`], { env });
    spawnSync('ip', ['link', 'delete', `${tag}a`], { env });
    rmSync(folder, { recursive: true, force: true });
  });

  test('apps use the store over TLS only, and are reachable from nginx only', () => {
    const replyTo = (name: Name, to: string) =>
      sh(name, `exec 3<>/dev/tcp/${to.replace(':', '/')}; echo PING >&3; timeout 2 head -c 5 <&3`);
    // Without TLS there is no response.
    expect(replyTo('one', '192.0.2.20:6379').stdout).not.toContain('PONG');
    expect(must('one', 'curl -fs http://127.0.0.1:9191/readyz')).toContain('ready');
    // A client other than nginx gets no response, whatever it sends.
    expect(replyTo('two', '192.0.2.21:3031').stdout).toBe('');
  });

  test('rooms are spread over both hosts; when one dies, all continue on the other', async () => {
    const rooms = Array.from({ length: 8 }, (_, index) => `hosts-${index}`);
    const talks = await Promise.all(rooms.map((room) => converse(`http://${line.nginx}`, room)));
    const peers = (name: Name) => JSON.parse(must(name, 'curl -fs http://127.0.0.1:9191/stats')).rooms.peers;
    const before = [peers('one'), peers('two')];
    expect(before[0] + before[1]).toBe(16);
    expect(Math.min(...before)).toBeGreaterThan(0);
    kill(one);
    await expect.poll(() => peers('two'), { timeout: 40_000 }).toBe(16);
    const then = talks.map(({ settled }) => settled());
    const more = () => Math.min(...talks.map(({ settled }, talk) => settled() - (then[talk] ?? 0)));
    await expect.poll(more, { timeout: 20_000 }).toBeGreaterThan(5);
    for (const talk of talks) await talk.end();
  });
});
