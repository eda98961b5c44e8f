/** `genkan nginx`: generates the files for nginx from flags, environment, files and the nginx installed on this machine. */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import { type Address, showAddress } from '../config/address.ts';
import { findConflicts } from '../config/cross-checks.ts';
import type { Environment } from '../config/expand.ts';
import { loadAs } from '../config/load.ts';
import type { Result } from '../config/result.ts';
import type { Settings } from '../config/schema.ts';
import { advise } from '../nginx/advisories.ts';
import { filesFor } from '../nginx/files.ts';
import { longIdleTimes } from '../nginx/idle-times.ts';
import { impossibleForNginx, impossibleForVersion, type NginxSettings, nginxSchema } from '../nginx/options.ts';
import { type Files, isAlone, type SiteSpec } from '../nginx/site-spec.ts';
import { floor, knows, parseVersion, showVersion } from '../nginx/version.ts';
import { isName } from '../nginx/workers.ts';
import { planEndpoints } from '../process/bind-plan.ts';

type NginxFiles = Result<{ files: Files; out: string | undefined }> & { notes: string[] };

/** @param ask returns the output of `nginx -V`; undefined when there is no nginx */
export const nginxFiles = (words: string[], environment: Environment, ask = readNginxVersion): NginxFiles => {
  const loaded = loadAs(
    nginxSchema,
    (settings, where) => [...findConflicts(settings, where), ...impossibleForNginx(settings, where)],
    words,
    environment,
  );
  if ('faults' in loaded) return loaded;
  const { settings, notes } = loaded;
  const version = versionFor(settings, ask);
  const app = appOf(settings);
  const faults = [...version.faults, ...('faults' in app ? app.faults : [])];
  if (faults.length > 0 || 'faults' in app) return { faults, notes };
  const site = siteSpecOf(settings, version.text, app);
  const advice = version.isKnown ? advise(site) : undefined;
  const allNotes = [...notes, ...version.notes, ...remarks(site), ...(advice === undefined ? [] : [advice])];
  return { files: filesFor(site), out: settings.out, notes: allNotes };
};

/**
 * @returns the text of all files, each headed by its path; or the paths of the files written below `out`
 * @throws when a file cannot be written, or would overwrite one that is not Genkan's
 */
export const writeFiles = (files: Files, out: string | undefined): string => {
  if (out === undefined) return [...files].map(([path, text]) => `# ${path}\n${text}`).join('\n');
  if (files.has('nginx.conf')) refuseForeign(join(out, 'nginx.conf'));
  for (const [path, text] of files) {
    mkdirSync(dirname(join(out, path)), { recursive: true });
    writeFileSync(join(out, path), text);
  }
  return [...files.keys()].map((path) => join(out, path)).join('\n');
};

/**
 * Warnings about an existing nginx configuration that keeps connections to the app open for too long.
 * @param configuration the output of `nginx -T`
 */
export const idleTimeWarnings = (configuration: string, settings: Settings, ask = readNginxVersion): string[] => {
  const plan = planEndpoints(settings);
  if ('faults' in plan) return [];
  const endpoints = plan.workers.flat().filter(({ setting }) => setting === 'http-socket');
  const addresses = endpoints.map(({ address }) => asUpstream(address));
  const version = parseVersion(versionIn(ask()) ?? '') ?? floor;
  return longIdleTimes(configuration, addresses, settings['keep-alive-timeout'], version);
};

/** Only nginx.conf has a name that other software uses as well. */
const refuseForeign = (path: string): void => {
  if (existsSync(path) && !readFileSync(path, 'utf8').includes('Genkan'))
    throw new Error(`${path} was not written by Genkan and is kept; use another directory, or --mode vhost`);
};

/** The Debian package installs nginx where only the PATH of root leads. */
const readNginxVersion = (): string | undefined => {
  const env = { ...process.env, PATH: [process.env.PATH, '/usr/sbin', '/usr/local/sbin'].join(delimiter) };
  const { error, stderr } = spawnSync('nginx', ['-V'], { encoding: 'utf8', env });
  return error ? undefined : stderr;
};

/** @param output of `nginx -V` */
const versionIn = (output = ''): string | undefined => /nginx\/(\d+\.\d+\.\d+)/.exec(output)?.[1];

const versionFor = (settings: NginxSettings, ask: () => string | undefined) => {
  const configured = settings['nginx-version'];
  const output = configured === undefined ? ask() : undefined;
  const known = configured ?? versionIn(output);
  const text = known ?? showVersion(floor);
  const source = configured === undefined ? 'the nginx of this machine' : '--nginx-version';
  const isWithoutQuic = settings.http3 && output !== undefined && !output.includes('--with-http_v3_module');
  return {
    text,
    isKnown: known !== undefined,
    notes: [
      ...(known ? [] : [`nginx was not found; the files are for ${text}; for another version pass --nginx-version`]),
      ...(isWithoutQuic ? ['--http3: the nginx of this machine was built without --with-http_v3_module'] : []),
    ],
    faults: impossibleForVersion(settings, text, source),
  };
};

type App = Pick<SiteSpec, 'protocol' | 'upstreams'>;

/** Protocol and addresses of the app for nginx, checked for characters that its files cannot contain. */
const appOf = (settings: NginxSettings): Result<App> => {
  const found = findApp(settings);
  const invalid = 'faults' in found ? undefined : found.upstreams.find((address) => /[\s;{}"'\\$#]/.test(address));
  if (invalid === undefined) return found;
  return { faults: [`${invalid}: not allowed in nginx's files: no spaces, quotes or any of ; { } \\ $ #`] };
};

/** From --upstream, or from the listen settings of the app. */
const findApp = (settings: NginxSettings): Result<App> => {
  const { socket, 'http-socket': httpSocket, upstream } = settings;
  const protocol = settings.protocol ?? (socket.length === 0 && httpSocket.length > 0 ? 'http' : 'uwsgi');
  const setting = protocol === 'uwsgi' ? 'socket' : 'http-socket';
  const [first, ...more] = upstream.map(asUpstream);
  if (first !== undefined) return { protocol, upstreams: [first, ...more] };
  if (settings[setting].length === 0) return assumeDefault(settings, protocol);
  const plan = planEndpoints(settings);
  if ('faults' in plan) return plan;
  // A worker may listen on several addresses; one per worker is enough.
  const endpoints = plan.workers.flatMap((worker) => worker.find((endpoint) => endpoint.setting === setting) ?? []);
  const [primary, ...others] = endpoints.map(({ address }) => asUpstream(address));
  const isUnknown = endpoints.some(
    ({ address }) => address.kind === 'fd' || (address.kind === 'tcp' && address.port === 0),
  );
  if (primary === undefined || isUnknown)
    return { faults: [`--${setting}: nginx cannot know this address; pass it by --upstream`] };
  return { protocol, upstreams: [primary, ...others] };
};

const assumeDefault = (settings: NginxSettings, protocol: App['protocol']): Result<App> => {
  const { http, socket, 'http-socket': httpSocket } = settings;
  const [wanted, other] = protocol === 'uwsgi' ? ['--socket', '--http-socket'] : ['--http-socket', '--socket'];
  if (socket.length + httpSocket.length > 0)
    return { faults: [`--protocol ${protocol}: the app listens only on ${other}; add ${wanted}`] };
  if (http.length > 0)
    return {
      faults: ['--http: is for direct browser connections; let the app listen on --socket or --http-socket'],
    };
  return { protocol, upstreams: ['127.0.0.1:3031'] };
};

/** Turns a listen address into one to connect to. */
const asUpstream = (address: Address): string => {
  if (address.kind === 'unix') return `unix:${address.path}`;
  if (address.kind === 'fd') return showAddress(address);
  const host = wildcards[address.host ?? ''] ?? address.host;
  return showAddress({ ...address, ...(host === undefined ? {} : { host }) });
};

const wildcards: Record<string, string> = { '': '127.0.0.1', '0.0.0.0': '127.0.0.1', '::': '::1' };

const siteSpecOf = (settings: NginxSettings, version: string, app: App): SiteSpec => {
  const { mode, base, certificate, 'certificate-key': key } = settings;
  const addresses = settings.address.length > 0 ? settings.address : [certificate === undefined ? '80' : '443'];
  return {
    mode,
    ...app,
    shared: settings.store !== 'memory',
    resolver: settings.resolver,
    serverNames: settings['server-name'],
    addresses,
    base: base.endsWith('/') ? base : `${base}/`,
    certificate: certificate && key ? { chain: certificate, key } : undefined,
    acmeWebroot: settings['acme-webroot'],
    trustedProxies: settings['trusted-proxy'],
    version: parseVersion(version) ?? floor,
    root: settings.root,
    hsts: settings.hsts,
    http3: settings.http3,
    brotli: settings.brotli,
    limits: {
      handshakes: settings.handshakes,
      connections: settings.connections,
      posts: settings.posts,
      dryRun: settings['limits-dry-run'],
    },
    workers: { processes: settings['worker-processes'], connections: settings['worker-connections'] },
    maintenance: settings['maintenance-file'],
    accessLog: settings['access-log'] ?? `/var/log/nginx/${isAlone(settings) ? '' : 'genkan.'}access.log`,
    app: {
      limitPost: settings['limit-post'],
      pingInterval: settings['ping-interval'],
      pollWait: settings['poll-wait'],
      keepAlive: settings['keep-alive-timeout'],
      drain: settings['drain-timeout'],
    },
  };
};

const remarks = ({ upstreams, version, resolver }: SiteSpec): string[] =>
  upstreams.length > 1 && upstreams.some(isName) && (resolver === undefined || !knows(version).resolve)
    ? ['before nginx 1.27.3, several upstreams given by name are resolved only once, at start']
    : [];
