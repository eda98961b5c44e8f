/** conf.d/genkan.conf: the site; and what stands for it where a site exists: conf.d/00-genkan.conf, snippets/genkan-site.conf. */
import { logged } from './log.ts';
import { isAlone, type SiteSpec } from './site-spec.ts';
import { knows } from './version.ts';

export const site = (situation: SiteSpec): string => `\
${intro(situation)}
${httpIncludes()}
${situation.mode === 'location' ? '' : servers(situation).join('\n')}`;

const intro = (situation: SiteSpec): string =>
  (situation.mode === 'location'
    ? `\
# What Genkan needs in the http block, for any nginx.conf that includes conf.d/*.conf there. The site itself is yours: write
#     include snippets/genkan-site.conf;
# into its server block. (!) nginx must read this file before that block, hence its name. nginx 1.22 or later.
`
    : `\
# The Genkan site: static files from disk, everything else to the app. It fits beside other sites, below any nginx.conf that
# includes conf.d/*.conf in its http block. nginx 1.22 or later.
# To adapt: server_name and listen here, the app's address in snippets/genkan-app.conf, the files' place in snippets/genkan-static.conf.
`) + (isAlone(situation) ? '' : shutdown(situation));

const shutdown = ({ app: { drain } }: SiteSpec): string => `\
# (!) Your nginx.conf should say, outside of http: worker_shutdown_timeout ${drain + 20}s; By default nginx's old workers stay after a
# reload until their last WebSocket ends. https://nginx.org/en/docs/ngx_core_module.html#worker_shutdown_timeout
`;

const httpIncludes = (): string =>
  ['log', 'maps', 'maintenance', 'limits', 'workers'].map((name) => include(name)).join('');

const include = (name: string, indent = ''): string => `${indent}include snippets/genkan-${name}.conf;\n`;

/** For the server block of a site that exists. */
export const inside = (): string => `\
# Genkan below a path of your site: one include in its server block, anywhere. Every location here begins with ^~, so that no
# regular expression of yours takes its requests, which by default it would. nginx 1.22 or later.
# https://nginx.org/en/docs/http/ngx_http_core_module.html#location
${locations()}`;

const locations = (indent = ''): string =>
  ['private', 'static', 'down', 'app'].map((name) => include(name, indent)).join('');

const servers = (situation: SiteSpec): string[] => [
  ...(isAlone(situation) && situation.serverNames.length > 0 ? [stranger(situation)] : []),
  ...(situation.certificate ? [redirect(situation)] : []),
  server(situation),
];

const server = (situation: SiteSpec): string => `\
server {
${situation.certificate ? '' : secureContext}${listens(situation, false)}${names(situation)}
    # No version number in answers; default on. https://nginx.org/en/docs/http/ngx_http_core_module.html#server_tokens
    server_tokens off;

    ${logged(situation)}

${situation.certificate ? include('tls', '    ') : ''}${situation.trustedProxies.length > 0 ? include('real-ip', '    ') : ''}${include('headers', '    ')}${locations('    ')}${situation.base === '/' ? '' : elsewhere}}
`;

const secureContext = `\
    # (!) Browsers give camera and microphone only to https:// pages and to http://localhost. For other names something must speak
    # TLS: \`genkan nginx --mode tls\`, or a proxy before this one. https://nginx.org/en/docs/http/configuring_https_servers.html
`;

const elsewhere = `
    # Genkan lies below its path and nowhere else.
    location / {
        return 404;
    }
`;

const names = ({ serverNames }: SiteSpec): string =>
  serverNames.length > 0
    ? `
    # https://nginx.org/en/docs/http/server_names.html
    server_name ${serverNames.join(' ')};
`
    : `
    # Your name. With "_", which no request can have, this site answers only if it is the default one for its port.
    # https://nginx.org/en/docs/http/server_names.html
    server_name _;
`;

/** `isDefault`: of the server that answers whoever asks for no known name. */
const listens = (situation: SiteSpec, isDefault: boolean): string => {
  const { addresses, certificate, http3, version } = situation;
  const suffix = isDefault ? ' default_server' : '';
  const { http2Directive } = knows(version);
  // Options of a socket are given once for an address, in whichever server.
  const quic = (address: string) =>
    `    listen ${address} quic${isDefault || !isAlone(situation) ? ' reuseport' : ''}${suffix};\n`;
  const listen = (address: string) =>
    `    listen ${address}${certificate ? (http2Directive ? ' ssl' : ' ssl http2') : ''}${suffix};\n${http3 ? quic(address) : ''}`;
  return addresses.map(listen).join('') + (certificate && http2Directive ? http2 : '');
};

const http2 = `
    # Default off. WebSockets come by HTTP/1.1 beside it. nginx 1.25.1 or later.
    # https://nginx.org/en/docs/http/ngx_http_v2_module.html
    http2 on;
`;

/** Where a site of one's own is named, no other name is answered. */
const stranger = (situation: SiteSpec): string => `\
# Whoever asks for another name, or for none, gets nothing: not the site under a name that is not its own, and no hint of its name.
server {
${listens(situation, true)}    server_name _;
    server_tokens off;
    ${logged(situation)}
${situation.certificate ? reject : ''}    # 421: not the server for this name. https://www.rfc-editor.org/rfc/rfc9110#name-421-misdirected-request
    return 421;
}
`;

const reject = `
    # No certificate is shown to them either. https://nginx.org/en/docs/http/ngx_http_ssl_module.html#ssl_reject_handshake
    ssl_reject_handshake on;

`;

const redirect = (situation: SiteSpec): string => `\
# By HTTP: over to https, with path and query. 308 keeps the method, and browsers remember it.
server {
${plainListens(situation)}    server_name ${situation.serverNames.join(' ')};
    server_tokens off;
    ${logged(situation)}
${situation.acmeWebroot === undefined ? `    ${over(situation)}` : challenges(situation)}}
${isAlone(situation) ? plainStranger(situation) : ''}`;

const over = (situation: SiteSpec): string => `return 308 https://$host${portOf(situation)}$request_uri;\n`;

const challenges = (situation: SiteSpec): string => `
    # Who issues certificates looks here for proof that the name is yours. https://www.rfc-editor.org/rfc/rfc8555#section-8.3
    location ^~ /.well-known/acme-challenge/ {
        root ${situation.acmeWebroot};
        default_type text/plain;
    }

    location / {
        ${over(situation)}    }
`;

/** Port 80, by IPv6 too where the site is. */
const plainListens = ({ addresses }: SiteSpec, suffix = ''): string =>
  ['80', ...(addresses.some((address) => address.startsWith('[')) ? ['[::]:80'] : [])]
    .map((address) => `    listen ${address}${suffix};\n`)
    .join('');

const plainStranger = (situation: SiteSpec): string => `
# The same for strangers by HTTP.
server {
${plainListens(situation, ' default_server')}    server_name _;
    server_tokens off;
    ${logged(situation)}
    return 421;
}
`;

const portOf = ({ addresses }: SiteSpec): string => {
  const port = addresses[0]?.split(':').at(-1);
  return port === '443' ? '' : `:${port}`;
};

/** In somebody else's server block the log must be said in each location. */
export const accessLog = (situation: SiteSpec): string =>
  situation.mode === 'location' ? `    ${logged(situation)}\n` : '';
