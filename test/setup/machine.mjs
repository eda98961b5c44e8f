// What the tests need on the machine: nginx, a browser, network tools, Docker. On Debian as root missing programs are installed from
// Debian's packages; elsewhere one sentence says what is missing and how to install it.
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { quiet, root, say, works } from './child.mjs';

const debian = process.getuid?.() === 0 && /^ID=debian$/m.test(text('/etc/os-release'));
const engine = (word) => quiet(`${root}/test/setup/engine.sh`, [word]);

const programs = [
  { name: 'nginx', file: 'nginx', version: '-v', for: 'the tests that put a real nginx in front of the app' },
  { name: 'chromium', file: 'chromium', version: '--version', for: 'the calls between real browsers' },
  // The tests run without it too, in `chromium`, which takes twice the CPU time.
  { name: 'chromium-headless-shell', file: 'chromium-headless-shell', version: '--version', for: '', optional: true },
  { name: 'firefox-esr', file: 'firefox-esr', version: '--version', for: 'the calls with Firefox' },
  { name: 'iptables', file: 'iptables', version: '-V', for: 'the tests that cut paths between browsers' },
  { name: 'iproute2', file: 'ip', version: '-V', for: 'the tests that cut networks' },
  { name: 'apache2', file: 'apache2', version: '-v', for: 'the tests of deploy/fronts/apache.conf' },
  { name: 'caddy', file: 'caddy', version: 'version', for: 'the tests of deploy/fronts/Caddyfile' },
  { name: 'haproxy', file: 'haproxy', version: '-v', for: 'the tests of deploy/fronts/haproxy.cfg' },
  { name: 'logrotate', file: 'logrotate', version: '--version', for: 'the test of deploy/systemd/logrotate' },
  { name: 'coturn', file: 'turnserver', version: '--version', for: 'the tests of deploy/turnserver.conf' },
  { name: 'redis-server', file: 'redis-server', version: '--version', for: 'the tests of the store' },
  // Not in every release, and its package starts a service.
  {
    name: 'valkey-server',
    file: 'valkey-server',
    version: '--version',
    for: 'the tests of the store over Valkey',
    script: 'test/setup/valkey.sh',
  },
];

/** Debian's releases whose nginx is tested; the last only if it has a newer one. */
const suites = ['bookworm', 'trixie', 'forky', 'experimental'];
const nginxCache = process.env.NGINX_CACHE || '/var/cache/genkan-nginx';

/** Installs what is possible, if it may; → what is still missing, as [name, sentence] pairs. */
export async function completeMachine(wantsDocker, mayInstall) {
  return [...(await completePackages(wantsDocker, mayInstall)), ...(await otherNginxes(mayInstall))];
}

async function completePackages(wantsDocker, mayInstall) {
  const lacking = [];
  for (const program of programs) if (!(await works(program.file, program.version))) lacking.push(program);
  const docker = wantsDocker && !(await dockerInstalled());
  if (debian && mayInstall && (lacking.length || docker)) return install(lacking, docker);
  const needed = lacking.filter(({ optional }) => !optional);
  const missing = needed.map((program) => [
    program.name,
    `${program.for} are skipped: ${program.name} is not installed; install the package ${program.name}`,
  ]);
  if (docker)
    missing.push(['docker', noDocker('install Docker Engine 25 or later with its compose and buildx plugins')]);
  return missing;
}

/** Unpacks the nginx of Debian's releases; → what is still missing. */
async function otherNginxes(mayInstall) {
  const lacking = () => suites.filter((suite) => !existsSync(`${nginxCache}/${suite}`));
  if (lacking().length === 0) return [];
  let why = 'they come from packages of Debian, as root';
  if (debian && mayInstall) {
    say(`unpacking nginx of Debian's ${lacking().join(', ')} into ${nginxCache}, next to the machine's own`);
    const { code, output } = await quiet(`${root}/test/setup/nginxes.sh`, suites);
    // Of apt's errors the first gives the reason, the last only says that there was one.
    if (code !== 0) why = output.split('\n').find((line) => line.startsWith('E: ')) ?? lastLine(output);
  }
  const absent = lacking().filter((suite) => suite !== 'experimental');
  const sentence = `the tests of nginx of ${absent.join(', ')} are skipped: ${why}`;
  return absent.map((suite) => [`nginx-${suite}`, sentence]);
}

/** Starts an engine if none is running; → { started } or { missing: sentence }. */
export async function startEngine() {
  const started = !(await works('docker', 'version')) && debian;
  if (started) {
    say('starting the Docker engine');
    const { code, output } = await engine('start');
    if (code !== 0) return { missing: noDocker(lastLine(output)) };
  }
  const { code, output } = await quiet('docker', ['version', '--format', '{{.Server.Version}}']);
  if (code !== 0) return { missing: noDocker('Docker does not respond; start it') };
  if (Number.parseInt(output, 10) < 25)
    return { started, missing: noDocker(`Docker Engine 25 is needed, ${output.trim()} is installed`) };
  return { started };
}

export function stopEngine() {
  return engine('stop');
}

/** Gets the base images, more of them for long tests; → { standins } if they are substitutes, or { missing: sentence }. */
export async function baseImages(long) {
  const { NGINX_IMAGE, VALKEY_IMAGE, TURN_IMAGE, PROMETHEUS_IMAGE } = process.env;
  const images = ['node:24-trixie-slim', NGINX_IMAGE || 'nginx:1.30', VALKEY_IMAGE || 'valkey/valkey:9.1'];
  if (long) images.push(TURN_IMAGE || 'coturn/coturn:4.18', PROMETHEUS_IMAGE || 'prom/prometheus:v3.5.3');
  const pulled = await Promise.all(images.map(getImage));
  if (pulled.every(Boolean)) return { standins: await isStandin(images[0]) };
  if (!debian) return { missing: noDocker(`no registry with ${images.join(' and ')} can be reached`) };
  say(`no registry can be reached: building substitutes for ${images.join(' and ')} from Debian's packages`);
  const { code, output } = await quiet(`${root}/test/setup/standins.sh`, images);
  return code === 0
    ? { standins: true }
    : { missing: noDocker(`the substitutes could not be built: ${lastLine(output)}`) };
}

/** Containers may remain after a killed run. Only for an engine of our own, which runs nothing else. */
export async function sweep() {
  const mine = ['label=org.testcontainers=true', 'name=genkan-test-'];
  for (const filter of mine) {
    await removeAll(['ps', '-aq'], filter, ['rm', '-fv']);
    await removeAll(['network', 'ls', '-q'], filter, ['network', 'rm']);
    await removeAll(['volume', 'ls', '-q'], filter, ['volume', 'rm']);
  }
}

/** Every project that builds the image leaves one without a name; only those of Genkan are removed. */
export function removeOldImages() {
  return quiet('docker', ['image', 'prune', '-f', '--filter', 'label=org.opencontainers.image.title=genkan']);
}

async function removeAll(list, filter, remove) {
  const { output } = await quiet('docker', [...list, '--filter', filter]);
  const ids = output.split('\n').filter(Boolean);
  if (ids.length) await quiet('docker', [...remove, ...ids]);
}

async function install(lacking, docker) {
  const names = lacking.map((program) => program.name);
  say(
    `installing from Debian's packages: ${[...names, ...(docker ? ['a Docker engine with compose and buildx'] : [])].join(', ')}`,
  );
  const release = keepServicesStopped();
  try {
    const missing = [];
    if (names.length) missing.push(...(await installPackages(lacking)));
    if (docker) {
      const { code, output } = await engine('install');
      if (code !== 0) missing.push(['docker', noDocker(`it could not be installed: ${lastLine(output)}`)]);
    }
    return missing;
  } finally {
    release();
  }
}

async function installPackages(lacking) {
  const apt = (...words) =>
    quiet('apt-get', ['-qq', '-o', 'DPkg::Lock::Timeout=300', ...words], {
      env: { DEBIAN_FRONTEND: 'noninteractive' },
    });
  await apt('update');
  const packages = lacking.filter(({ script }) => script === undefined);
  const skipped = ({ name, for: whom }, output) => [name, `${whom} are skipped: ${lastLine(output)}`];
  const missing = [];
  if (packages.length) {
    const { code, output } = await apt('install', '-y', '--no-install-recommends', ...packages.map(({ name }) => name));
    if (code !== 0)
      missing.push(...packages.filter(({ optional }) => !optional).map((program) => skipped(program, output)));
  }
  for (const program of lacking.filter(({ script }) => script !== undefined)) {
    const { code, output } = await quiet(`${root}/${program.script}`, []);
    if (code !== 0) missing.push(skipped(program, output));
  }
  return missing;
}

/** Debian starts a service when its package is installed; nginx would take port 80. This file prevents it. */
function keepServicesStopped() {
  const policy = '/usr/sbin/policy-rc.d';
  if (existsSync(policy)) return () => {};
  writeFileSync(policy, '#!/bin/sh\nexit 101\n', { mode: 0o755 });
  return () => rmSync(policy);
}

async function getImage(image) {
  if (await works('docker', 'image', 'inspect', image)) return true;
  return (await quiet('docker', ['pull', '-q', image], { limit: 300 })).code === 0;
}

async function isStandin(image) {
  const { output } = await quiet('docker', ['image', 'inspect', '-f', '{{index .Config.Labels "standin"}}', image]);
  return output.trim() === '1';
}

async function dockerInstalled() {
  const answers = await works('docker', 'version');
  const startable =
    debian && ((await works('dockerd', '--version')) || (await works('/usr/sbin/dockerd', '--version')));
  if (!answers && !startable) return false;
  return (await works('docker', 'compose', 'version')) && (await works('docker', 'buildx', 'version'));
}

function noDocker(reason) {
  return `the whole-stack tests are skipped: ${reason}`;
}

function lastLine(output) {
  return output.trim().split('\n').at(-1);
}

function text(path) {
  return existsSync(path) ? readFileSync(path, 'utf8') : '';
}
