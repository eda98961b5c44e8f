/** The options of `genkan nginx`, and the checks across them. */
import { z } from 'zod';
import { showAddress } from '../config/address.ts';
import type { Where } from '../config/cross-checks.ts';
import { schema } from '../config/schema.ts';
import { settingMetadata } from '../config/setting-metadata.ts';
import { address, choice, flag, integer, list, network, path, text } from '../config/value-types.ts';
import { modes } from './site-spec.ts';
import { floor, isAtLeast, knows, parseVersion, showVersion } from './version.ts';

/** Written into nginx's files unescaped, so characters with a meaning there are rejected. */
const nginxPath = () =>
  text(/^\/[^\s;{}"'\\$#]*$/, 'an absolute path without spaces, quotes or any of ; { } \\ $ #', 'PATH');

export const options = {
  mode: choice(...modes)
    .default('plain')
    .register(settingMetadata, {
      help: 'plain: nginx serves only Genkan; tls: the same with a certificate; behind-proxy: behind a proxy that terminates TLS; vhost: next to other sites; location: below a path of another site',
    }),
  protocol: choice('uwsgi', 'http').optional().register(settingMetadata, {
    help: "protocol between nginx and the app; default: from the app's settings, else uwsgi",
  }),
  upstream: list(address).register(settingMetadata, {
    help: "address of the app; with several, rooms are distributed by hash; default: from the app's settings, else 127.0.0.1:3031",
  }),
  resolver: text(/^(?:[\d.]+|\[[\da-fA-F:]+\])(?::\d+)?$/, 'the IP address of a name server', 'ADDRESS')
    .optional()
    .register(settingMetadata, {
      help: 'DNS server for upstreams given by host name, such as 127.0.0.11 in containers',
    }),
  'server-name': list(
    text(
      /^(?:(?:\*\.)?[\w-]+(?:\.[\w-]+)*|\[[\da-fA-F:.]+\])$/,
      'a name such as meet.example, or an IP address, IPv6 in brackets',
      'NAME',
    ),
  ).register(settingMetadata, {
    help: 'host names of the site; if nginx serves only Genkan, requests for other names are rejected',
  }),
  address: list(
    text(
      /^(?:(?:[\d.]+|\[[\da-fA-F:]+\]):)?\d{1,5}$/,
      'a port, or address:port such as 127.0.0.1:8080 or [::]:443',
      'ADDRESS',
    ),
  ).register(settingMetadata, { help: 'where nginx listens; default: 80, with a certificate 443' }),
  base: text(/^(?:\/[\w~-][\w.~-]*)*\/?$/, 'a path such as /meet/', 'PATH')
    .default('/')
    .register(settingMetadata, { help: 'path prefix of the site' }),
  certificate: nginxPath()
    .optional()
    .register(settingMetadata, { help: 'certificate with its chain, in one file (PEM)' }),
  'certificate-key': nginxPath().optional().register(settingMetadata, { help: 'private key of the certificate' }),
  'acme-webroot': nginxPath().optional().register(settingMetadata, {
    help: "serve ACME HTTP challenges from this directory, such as certbot's --webroot-path",
  }),
  'trusted-proxy': list(network).register(settingMetadata, {
    help: "networks of the proxies in front of nginx that are trusted to report the client's address and scheme",
  }),
  'nginx-version': text(/^\d+\.\d+\.\d+$/, 'a version such as 1.26.3', 'VERSION')
    .optional()
    .register(settingMetadata, {
      help: `target nginx version; default: the one installed here, else ${showVersion(floor)}`,
    }),
  root: nginxPath()
    .default('/opt/genkan/dist/public')
    .register(settingMetadata, { help: 'directory that contains js/' }),
  hsts: flag().default(false).register(settingMetadata, { help: 'send HSTS: browsers use only https for two years' }),
  http3: flag().default(false).register(settingMetadata, { help: 'enable HTTP/3; nginx 1.25 or later' }),
  brotli: flag()
    .default(false)
    .register(settingMetadata, { help: 'also serve .br files; needs the module ngx_http_brotli_static' }),
  handshakes: integer(1, 100_000).default(20).register(settingMetadata, {
    help: 'new WebSockets and joins per second and client address; burst: five times as many',
  }),
  connections: integer(1, 65_535)
    .default(1000)
    .register(settingMetadata, { help: 'concurrent requests and WebSockets per client address' }),
  posts: integer(1, 65_535).default(250).register(settingMetadata, {
    help: 'concurrent POST requests with messages per client address, whose bodies nginx stores; all clients together: eight times as many',
  }),
  'worker-processes': integer(1, 1024).optional().register(settingMetadata, {
    help: 'worker processes of nginx, if it serves only Genkan; default: one per CPU core',
  }),
  'worker-connections': integer(64, 1_000_000).default(8192).register(settingMetadata, {
    help: 'connections of each worker process of nginx, if it serves only Genkan; a WebSocket takes two',
  }),
  'limits-dry-run': flag()
    .default(false)
    .register(settingMetadata, { help: 'only log what --handshakes, --connections and --posts would reject' }),
  'maintenance-file': nginxPath().default('/run/genkan-maintenance').register(settingMetadata, {
    help: 'while this file exists, new visitors get 503 and an error page; calls in progress continue',
  }),
  'access-log': nginxPath().optional().register(settingMetadata, {
    help: 'access log, used only by this site; default: access.log in /var/log/nginx, next to other sites genkan.access.log',
  }),
  out: path().optional().register(settingMetadata, { help: 'directory to write the files to; default: print them' }),
};

/** Includes the app's own settings: they give its listen addresses and timeouts. */
export const nginxSchema = z.object({ ...schema.shape, ...options });
export type NginxSettings = z.output<typeof nginxSchema>;

type Check = (settings: NginxSettings, where: Where) => string | undefined | false;

/** Option combinations that nginx does not support, or that have no effect. */
export const impossibleForNginx = (settings: NginxSettings, where: Where): string[] =>
  checks.flatMap((check) => check(settings, where) || []);

const hasTls = ({ certificate }: NginxSettings): boolean => certificate !== undefined;

const checks: Check[] = [
  ({ mode, certificate }) => mode === 'tls' && certificate === undefined && '--mode tls needs --certificate',
  ({ certificate, 'certificate-key': key }, where) =>
    (certificate === undefined) !== (key === undefined) &&
    (key === undefined
      ? `${where('certificate')}: --certificate-key is missing`
      : `${where('certificate-key')}: --certificate is missing`),
  ({ mode, certificate }, where) =>
    certificate !== undefined &&
    mode !== 'tls' &&
    mode !== 'vhost' &&
    `${where('certificate')}: --mode ${mode} does not use TLS; use --mode tls or --mode vhost`,
  ({ mode, 'server-name': names }) =>
    (mode === 'tls' || mode === 'vhost') && names.length === 0 && `--mode ${mode} needs --server-name`,
  ({ mode, 'trusted-proxy': proxies }) =>
    mode === 'behind-proxy' &&
    proxies.length === 0 &&
    "--mode behind-proxy needs --trusted-proxy: the network of the proxy, whose headers about the client's address are trusted",
  (settings, where) =>
    settings['trusted-proxy'].length > 0 &&
    !(settings.mode === 'behind-proxy' || (settings.mode === 'vhost' && !hasTls(settings))) &&
    `${where('trusted-proxy')}: only with --mode behind-proxy, or --mode vhost without --certificate`,
  ({ mode, base }) =>
    mode === 'location' &&
    base === '/' &&
    '--mode location needs --base: the path of Genkan on your site, such as /meet/',
  ({ mode, 'server-name': names, address: addresses }, where) =>
    mode === 'location' &&
    names.length + addresses.length > 0 &&
    `${where(names.length > 0 ? 'server-name' : 'address')}: not with --mode location, because the server block of your site sets it`,
  ({ mode, 'worker-processes': processes }, where) =>
    (mode === 'vhost' || mode === 'location') &&
    processes !== undefined &&
    `${where('worker-processes')}: not with --mode ${mode}, because your own nginx.conf sets it`,
  (settings, where) =>
    settings.hsts &&
    !hasTls(settings) &&
    settings['trusted-proxy'].length === 0 &&
    `${where('hsts')}: needs --certificate or --trusted-proxy, because HSTS works only over https`,
  (settings, where) =>
    settings['acme-webroot'] !== undefined && !hasTls(settings) && `${where('acme-webroot')}: needs --certificate`,
  (settings, where) => settings.http3 && !hasTls(settings) && `${where('http3')}: needs --certificate`,
  ({ upstream }, where) => {
    const index = upstream.findIndex(({ kind }) => kind === 'fd');
    return (
      index >= 0 &&
      `${where('upstream', index)}: nginx cannot connect to an inherited file descriptor; pass the address it listens on`
    );
  },
  ({ upstream, resolver }, where) => {
    const index = upstream.findIndex(
      (one) => one.kind === 'tcp' && /[^\d.:]/.test(one.host ?? '') && !isIpv6(one.host),
    );
    const [one] = upstream.slice(index);
    return (
      index >= 0 &&
      one &&
      resolver === undefined &&
      `${where('upstream', index)}: ${showAddress(one)} has a host name; pass its DNS server by --resolver, or use an IP address`
    );
  },
];

const isIpv6 = (host: string | undefined): boolean => host?.includes(':') === true;

/** What this nginx version does not support. */
export const impossibleForVersion = (settings: NginxSettings, text: string, source: string): string[] => {
  const version = parseVersion(text);
  if (!version || !isAtLeast(version, floor))
    return [`${source}: nginx ${text} is not supported; ${showVersion(floor)} or later is required`];
  return settings.http3 && !knows(version).quic
    ? [`--http3: nginx ${text} does not support HTTP/3; 1.25.0 or later is required`]
    : [];
};
