/** conf.d/genkan.conf: the site; for an existing site, conf.d/00-genkan.conf and snippets/genkan-site.conf instead. */
import { logged } from './log.ts';
import { isAlone, type SiteSpec } from './site-spec.ts';
import { knows } from './version.ts';

export const site = (spec: SiteSpec): string => `\
${intro(spec)}
${httpIncludes()}
${spec.mode === 'location' ? '' : servers(spec).join('\n')}`;

const intro = (spec: SiteSpec): string =>
  (spec.mode === 'location'
    ? `\
# What Genkan needs in the http block, for any nginx.conf that includes conf.d/*.conf there. The site itself is yours: write
#     include snippets/genkan-site.conf;
# into its server block. (!) nginx must read this file before that block, hence its name. nginx 1.22 or later.
`
    : `\
# The Genkan site: static files from disk, everything else to the app. It fits beside other sites, below any nginx.conf that
# includes conf.d/*.conf in its http block. nginx 1.22 or later.
# To adapt: server_name and listen here, the app's address in snippets/genkan-app.conf, the files' place in snippets/genkan-static.conf.
`) + (isAlone(spec) ? '' : shutdownHint(spec));

const shutdownHint = ({ app: { drain } }: SiteSpec): string => `\
# (!) Your nginx.conf should say, outside of http: worker_shutdown_timeout ${drain + 20}s; By default nginx's old workers stay after a
# reload until their last WebSocket ends. https://nginx.org/en/docs/ngx_core_module.html#worker_shutdown_timeout
`;

const httpIncludes = (): string =>
  ['log', 'maps', 'maintenance', 'limits', 'workers'].map((name) => include(name)).join('');

const include = (name: string, indent = ''): string => `${indent}include snippets/genkan-${name}.conf;\n`;

/** For the server block of an existing site. */
export const inside = (): string => `\
# Genkan below a path of your site: one include in its server block, anywhere. Every location here begins with ^~, so that no
# regular expression of yours takes its requests, which by default it would. nginx 1.22 or later.
# https://nginx.org/en/docs/http/ngx_http_core_module.html#location
${locations()}`;

const locations = (indent = ''): string =>
  ['private', 'static', 'down', 'app'].map((name) => include(name, indent)).join('');

const servers = (spec: SiteSpec): string[] => [
  ...(isAlone(spec) && spec.serverNames.length > 0 ? [defaultServer(spec)] : []),
  ...(spec.certificate ? [httpServer(spec)] : []),
  server(spec),
];

const server = (spec: SiteSpec): string => `\
server {
${spec.certificate ? '' : secureContextComment}${listens(spec, false)}${serverNameLines(spec)}
    # No version number in answers; default on. https://nginx.org/en/docs/http/ngx_http_core_module.html#server_tokens
    server_tokens off;

    ${logged(spec)}

${spec.certificate ? include('tls', '    ') : ''}${spec.trustedProxies.length > 0 ? include('real-ip', '    ') : ''}${include('headers', '    ')}${locations('    ')}${spec.base === '/' ? '' : otherPaths}}
`;

const secureContextComment = `\
    # (!) Browsers give camera and microphone only to https:// pages and to http://localhost. For other names something must speak
    # TLS: \`genkan nginx --mode tls\`, or a proxy before this one. https://nginx.org/en/docs/http/configuring_https_servers.html
`;

const otherPaths = `
    # Genkan lies below its path and nowhere else.
    location / {
        return 404;
    }
`;

const serverNameLines = ({ serverNames }: SiteSpec): string =>
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

/** @param isDefault whether this is the default server, for requests with an unknown name */
const listens = (spec: SiteSpec, isDefault: boolean): string => {
  const { addresses, certificate, http3, version } = spec;
  const suffix = isDefault ? ' default_server' : '';
  const { http2Directive } = knows(version);
  // nginx accepts socket options once per address, in any one server block.
  const quic = (address: string) =>
    `    listen ${address} quic${isDefault || !isAlone(spec) ? ' reuseport' : ''}${suffix};\n`;
  const listen = (address: string) =>
    `    listen ${address}${certificate ? (http2Directive ? ' ssl' : ' ssl http2') : ''}${suffix};\n${http3 ? quic(address) : ''}`;
  return addresses.map(listen).join('') + (certificate && http2Directive ? http2Lines : '');
};

const http2Lines = `
    # Default off. WebSockets come by HTTP/1.1 beside it. nginx 1.25.1 or later.
    # https://nginx.org/en/docs/http/ngx_http_v2_module.html
    http2 on;
`;

/** If the site has a name, requests for any other name are rejected. */
const defaultServer = (spec: SiteSpec): string => `\
# Whoever asks for another name, or for none, gets nothing: not the site under a name that is not its own, and no hint of its name.
server {
${listens(spec, true)}    server_name _;
    server_tokens off;
    ${logged(spec)}
${spec.certificate ? rejectHandshake : ''}    # 421: not the server for this name. https://www.rfc-editor.org/rfc/rfc9110#name-421-misdirected-request
    return 421;
}
`;

const rejectHandshake = `
    # No certificate is shown to them either. https://nginx.org/en/docs/http/ngx_http_ssl_module.html#ssl_reject_handshake
    ssl_reject_handshake on;

`;

const httpServer = (spec: SiteSpec): string => `\
# By HTTP: over to https, with path and query. 308 keeps the method, and browsers remember it.
server {
${httpListens(spec)}    server_name ${spec.serverNames.join(' ')};
    server_tokens off;
    ${logged(spec)}
${spec.acmeWebroot === undefined ? `    ${redirectLine(spec)}` : acmeLocations(spec)}}
${isAlone(spec) ? httpDefaultServer(spec) : ''}`;

const redirectLine = (spec: SiteSpec): string => `return 308 https://$host${portOf(spec)}$request_uri;\n`;

const acmeLocations = (spec: SiteSpec): string => `
    # Who issues certificates looks here for proof that the name is yours. https://www.rfc-editor.org/rfc/rfc8555#section-8.3
    location ^~ /.well-known/acme-challenge/ {
        root ${spec.acmeWebroot};
        default_type text/plain;
    }

    location / {
        ${redirectLine(spec)}    }
`;

/** Port 80, on IPv6 too if the site listens on IPv6. */
const httpListens = ({ addresses }: SiteSpec, suffix = ''): string =>
  ['80', ...(addresses.some((address) => address.startsWith('[')) ? ['[::]:80'] : [])]
    .map((address) => `    listen ${address}${suffix};\n`)
    .join('');

const httpDefaultServer = (spec: SiteSpec): string => `
# The same for strangers by HTTP.
server {
${httpListens(spec, ' default_server')}    server_name _;
    server_tokens off;
    ${logged(spec)}
    return 421;
}
`;

const portOf = ({ addresses }: SiteSpec): string => {
  const port = addresses[0]?.split(':').at(-1);
  return port === '443' ? '' : `:${port}`;
};

/** In an existing site's server block, each location must set the access log itself. */
export const accessLog = (spec: SiteSpec): string => (spec.mode === 'location' ? `    ${logged(spec)}\n` : '');
