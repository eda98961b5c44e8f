/**
 * A plain server to install on, in a container: a Debian with systemd as its first process and nginx from its package; or the same made
 * like Fedora where it matters here: dnf and a repository of RPMs, no apt-get, an nginx that is not installed yet, runs as `nginx` and is
 * not started automatically.
 */
import { execFile, execFileSync, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';

export type Said = { code: number; output: string };
export type PlainServer = {
  /** Runs a shell script there; → its exit code, and both outputs. */
  sh(script: string): Promise<Said>;
  /**
   * The same.
   * @throws if it fails, with its output
   */
  mustSh(script: string): Promise<string>;
  /** Writes a file there. */
  put(bytes: Buffer, path: string): void;
  remove(): void;
};

const root = join(import.meta.dirname, '../..');
export type Kind = 'debian' | 'dnf';
const run = promisify(execFile);

const debian = `
FROM ${process.env.NODE_IMAGE ?? 'node:24-trixie-slim'}
RUN apt-get update -qq && apt-get install -y -qq --no-install-recommends systemd systemd-sysv dbus nginx curl openssl \\
  ca-certificates procps logrotate >/dev/null && rm -rf /var/lib/apt/lists/*
STOPSIGNAL SIGRTMIN+3
`;

/** The programs are Debian's, packed as RPMs; the names of the packages are Fedora's. */
const spec = `
%global _build_id_links none
%global debug_package %{nil}
Name: genkan-test
Version: 1
Release: 1
Summary: x
License: MIT
%description
x
%package -n nginx
Summary: x
AutoReqProv: no
%description -n nginx
x
%pre -n nginx
getent passwd nginx >/dev/null || useradd --system --user-group --no-create-home --shell /sbin/nologin nginx
%package -n openssl
Summary: x
AutoReqProv: no
%description -n openssl
x
%package -n ca-certificates
Summary: x
AutoReqProv: no
Provides: /bin/sh
%description -n ca-certificates
x
%install
cp -R /rpm/root/. %{buildroot}/
%files -n nginx
/usr/sbin/nginx
/etc/nginx
/usr/lib/systemd/system/nginx.service
/var/log/nginx
/var/lib/nginx
%files -n openssl
/usr/bin/openssl
%files -n ca-certificates
`;
const nginxConf = `user nginx;
worker_processes auto;
error_log /var/log/nginx/error.log notice;
pid /run/nginx.pid;
events { worker_connections 1024; }
http {
    include /etc/nginx/mime.types;
    include /etc/nginx/conf.d/*.conf;
    server { listen 80 default_server; server_name _; return 200 theirs; }
}
`;
const nginxService = `[Unit]
After=network-online.target
[Service]
Type=forking
PIDFile=/run/nginx.pid
ExecStartPre=/usr/sbin/nginx -t
ExecStart=/usr/sbin/nginx
ExecReload=/usr/sbin/nginx -s reload
KillSignal=SIGQUIT
[Install]
WantedBy=multi-user.target
`;
const repository = `[local]
name=local
baseurl=file:///rpm/repository
gpgcheck=0
`;
const dnf = `
${debian.replace(' nginx ', ' libpcre2-8-0 dnf rpm createrepo-c ')}
COPY <<'SPEC' /rpm/x.spec
${spec}
SPEC
COPY <<'CONF' /rpm/root/etc/nginx/nginx.conf
${nginxConf}
CONF
COPY <<'UNIT' /rpm/root/usr/lib/systemd/system/nginx.service
${nginxService}
UNIT
COPY <<'REPOSITORY' /etc/yum.repos.d/local.repo
${repository}
REPOSITORY
RUN apt-get update -qq && cd /rpm && apt-get download -qq nginx nginx-common openssl \\
  && for package in *.deb; do dpkg -x $package /rpm/deb; done \\
  && mkdir -p root/usr/sbin root/usr/bin root/etc/nginx/conf.d root/var/log/nginx root/var/lib/nginx repository \\
  && cp deb/usr/sbin/nginx root/usr/sbin/ && cp deb/usr/bin/openssl root/usr/bin/ && cp deb/etc/nginx/mime.types root/etc/nginx/ \\
  && rpmbuild -bb --define '_rpmdir /rpm/repository' x.spec >/dev/null && createrepo_c -q repository \\
  && dpkg --purge --force-depends openssl && rm -f /usr/bin/apt-get /usr/bin/openssl
`;
const dockerfiles: Record<Kind, string> = { debian, dnf };

/** systemd needs a tree of control groups (version 2) of its own; where the machine has version 1 mounted, one is created. */
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

/** @param name of the container; the checkout without built or installed files is in /src there */
export const startServer = async (name: string, kind: Kind = 'debian'): Promise<PlainServer> => {
  const image = `genkan-test-server-${kind}`;
  execFileSync('docker', ['build', '-q', '-t', image, '-'], { input: dockerfiles[kind], stdio: 'pipe' });
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
    // It has no npm to ask.
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
    // The groups that `boot` created outlive the container.
    const groups = `/sys/fs/cgroup/unified/${id.slice(0, 12)}`;
    if (existsSync(groups)) spawnSync('find', [groups, '-depth', '-type', 'd', '-delete']);
  };
  try {
    const first = kind === 'debian' ? 'nginx' : 'multi-user.target';
    await mustSh(`for i in $(seq 100); do systemctl is-active ${first} && exit; sleep 0.2; done; systemctl status`);
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
