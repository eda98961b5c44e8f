/** A Debian with systemd as its first process and nginx as its package installs it, in a container: a plain server to install on. */
import { execFile, execFileSync, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';

export type Said = { code: number; output: string };
export type PlainServer = {
  /** Runs a shell script there; → its exit code, and what it said on both outputs. */
  sh(script: string): Promise<Said>;
  /** The same; @throws when it fails, with what it said. */
  mustSh(script: string): Promise<string>;
  /** Writes a file there. */
  put(bytes: Buffer, path: string): void;
  remove(): void;
};

const root = join(import.meta.dirname, '../..');
const image = 'genkan-test-server';
const run = promisify(execFile);

const dockerfile = `
FROM ${process.env.NODE_IMAGE ?? 'node:24-trixie-slim'}
RUN apt-get update -qq && apt-get install -y -qq --no-install-recommends systemd systemd-sysv dbus nginx curl openssl \\
  ca-certificates procps logrotate >/dev/null && rm -rf /var/lib/apt/lists/*
STOPSIGNAL SIGRTMIN+3
`;

/** systemd wants a tree of control groups (version 2) of its own; where the machine has version 1 mounted, it is made one. */
const boot = `
if [ "$(stat -fc %T /sys/fs/cgroup)" != cgroup2fs ]; then
  umount -R /sys/fs/cgroup 2>/dev/null
  mount -t cgroup2 cgroup2 /sys/fs/cgroup
  mkdir -p /sys/fs/cgroup/$HOSTNAME
  echo $$ >/sys/fs/cgroup/$HOSTNAME/cgroup.procs
  umount /sys/fs/cgroup
  exec unshare -C sh -c 'mount -t cgroup2 cgroup2 /sys/fs/cgroup; exec /sbin/init'
fi
exec /sbin/init`;

/** @param name of the container; the checkout without what is built or installed lies in /src there */
export const startServer = async (name: string): Promise<PlainServer> => {
  execFileSync('docker', ['build', '-q', '-t', image, '-'], { input: dockerfile, stdio: 'pipe' });
  const options = [
    '--privileged',
    '--tmpfs',
    '/run',
    '--tmpfs',
    '/run/lock',
    '--tmpfs',
    '/tmp:exec',
    '-e',
    'container=docker',
    // There is no npm in it to ask.
    '-e',
    `NPM_CONFIG_REGISTRY=${String(execFileSync('npm', ['config', 'get', 'registry'])).trim()}`,
  ];
  const id = String(execFileSync('docker', ['run', '-d', '--name', name, ...options, image, 'sh', '-c', boot])).trim();
  const sh = (script: string): Promise<Said> =>
    // A network may put a certificate authority of its own between the container and the registry; the system knows it.
    run('docker', ['exec', '-e', 'NODE_USE_SYSTEM_CA=1', id, 'sh', '-c', `exec 2>&1; ${script}`], {
      maxBuffer: 1e7,
    }).then(
      ({ stdout }) => ({ code: 0, output: stdout }),
      (error: { code?: number; stdout?: string }) => ({ code: error.code ?? 1, output: error.stdout ?? '' }),
    );
  const mustSh = async (script: string): Promise<string> => {
    const { code, output } = await sh(script);
    if (code !== 0) throw new Error(`${script}: exit code ${code}: ${output}`);
    return output;
  };
  const put = (bytes: Buffer, path: string) => {
    execFileSync('docker', ['exec', '-i', id, 'sh', '-c', `cat > ${path}`], { input: bytes });
  };
  const remove = () => {
    execFileSync('docker', ['rm', '-fv', id], { stdio: 'ignore' });
    // The groups that `boot` made outlive the container.
    const groups = `/sys/fs/cgroup/unified/${id.slice(0, 12)}`;
    if (existsSync(groups)) spawnSync('find', [groups, '-depth', '-type', 'd', '-delete']);
  };
  try {
    await mustSh('for i in $(seq 100); do systemctl is-active nginx && exit; sleep 0.2; done; systemctl status');
    const sources = ['app', 'deploy', 'nginx', 'package.json', 'package-lock.json', 'tsconfig.json'];
    execFileSync(
      'sh',
      ['-c', `tar -cf - ${sources.join(' ')} | docker exec -i ${id} sh -c 'mkdir /src && tar -xf - -C /src'`],
      {
        cwd: root,
      },
    );
  } catch (error) {
    remove();
    throw error;
  }
  return { sh, mustSh, put, remove };
};
