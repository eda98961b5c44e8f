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
# The part of Genkan that belongs in the http block, for any nginx.conf that includes conf.d/*.conf there. Add to the server block of
# your site:
#     include snippets/genkan-site.conf;
# (!) nginx must read this file before that block, hence its name. nginx 1.22 or later.
`
    : `\
# The Genkan site: static files from disk, everything else from the app. It works next to other sites, with any nginx.conf that
# includes conf.d/*.conf in its http block. nginx 1.22 or later.
# Adapt server_name and listen here, the app's address in snippets/genkan-app.conf, the files' path in snippets/genkan-static.conf.
`) + (isAlone(spec) ? '' : shutdownHint(spec));

const shutdownHint = ({ app: { drain } }: SiteSpec): string => `\
# (!) Add to your nginx.conf, outside of http: worker_shutdown_timeout ${drain + 20}s; By default old nginx workers stay after a
# reload until their last WebSocket closes. https://nginx.org/en/docs/ngx_core_module.html#worker_shutdown_timeout
`;

const httpIncludes = (): string =>
  ['log', 'maps', 'maintenance', 'limits', 'workers'].map((name) => include(name)).join('');

const include = (name: string, indent = ''): string => `${indent}include snippets/genkan-${name}.conf;\n`;

/** For the server block of an existing site. */
export const inside = (): string => `\
# Genkan below a path of your site: include this file anywhere in its server block. Every location here starts with ^~, so that the
# site's regular expression locations do not take precedence, as they would by default. nginx 1.22 or later.
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
    # No version number in responses; default on. https://nginx.org/en/docs/http/ngx_http_core_module.html#server_tokens
    server_tokens off;

    ${logged(spec)}

${spec.certificate ? include('tls', '    ') : ''}${spec.trustedProxies.length > 0 ? include('real-ip', '    ') : ''}${include('headers', '    ')}${locations('    ')}${spec.base === '/' ? '' : otherPaths}}
`;

const secureContextComment = `\
    # (!) Browsers allow camera and microphone only on https:// pages and on http://localhost. Any other name needs TLS:
    # \`genkan nginx --mode tls\`, or a proxy in front of nginx. https://nginx.org/en/docs/http/configuring_https_servers.html
`;

const otherPaths = `
    # Nothing outside Genkan's path.
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
    # Your host name. "_" never matches, so this site answers only as the default server of its port.
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
    # Default off. WebSockets still use HTTP/1.1. nginx 1.25.1 or later.
    # https://nginx.org/en/docs/http/ngx_http_v2_module.html
    http2 on;
`;

/**
 * If the site has a name, requests for any other name are rejected. Clients send no server name for an IP address, so with an address
 * as a name the handshake must succeed here; nginx then chooses the server by the Host header.
 */
const defaultServer = (spec: SiteSpec): string => `\
# Requests for another host name, or without one, are rejected and do not reveal the site's name.
server {
${listens(spec, true)}    server_name _;
    server_tokens off;
    ${logged(spec)}
${spec.certificate ? (spec.serverNames.some(isAddress) ? presentCertificate : rejectHandshake) : ''}    # 421: not the server for this name. https://www.rfc-editor.org/rfc/rfc9110#name-421-misdirected-request
    return 421;
}
`;

const isAddress = (name: string): boolean => /^\[|^[\d.]+$/.test(name);

const presentCertificate = `
    # Clients send no server name for an IP address, so this server completes their TLS handshake. The Host header then selects the site.
${include('tls', '    ')}
`;

const rejectHandshake = `
    # Nor does the TLS handshake: no certificate is sent. https://nginx.org/en/docs/http/ngx_http_ssl_module.html#ssl_reject_handshake
    ssl_reject_handshake on;

`;

const httpServer = (spec: SiteSpec): string => `\
# Redirect HTTP to HTTPS, with path and query. 308 keeps the method, and browsers cache it.
server {
${httpListens(spec)}    server_name ${spec.serverNames.join(' ')};
    server_tokens off;
    ${logged(spec)}
${spec.acmeWebroot === undefined ? `    ${redirectLine(spec)}` : acmeLocations(spec)}}
${isAlone(spec) ? httpDefaultServer(spec) : ''}`;

const redirectLine = (spec: SiteSpec): string => `return 308 https://$host${portOf(spec)}$request_uri;\n`;

const acmeLocations = (spec: SiteSpec): string => `
    # ACME HTTP-01 challenges. https://www.rfc-editor.org/rfc/rfc8555#section-8.3
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
# The same for other host names over HTTP.
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

/** In an existing site's server block, each location must set the access log itself: nginx logs a request where it ends. */
export const accessLog = (spec: SiteSpec): string => (spec.mode === 'location' ? `    ${logged(spec)}\n` : '');
