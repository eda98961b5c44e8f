/** snippets/genkan-app.conf: the app's address and the location that proxies requests to it. */
import { limited } from './limits.ts';
import { closable } from './maintenance.ts';
import { portOf, schemeOf } from './maps.ts';
import { accessLog } from './site.ts';
import { prefixOf, type SiteSpec } from './site-spec.ts';
import { group, hasGroup, isName } from './workers.ts';

export const app = (spec: SiteSpec): string => `\
# Where the app is and how nginx talks to it. Tell the app the same: \`genkan ${listenFlag(spec)}\`.
# Everything that is not a file goes there. nginx 1.22 or later.
# https://nginx.org/en/docs/http/${spec.protocol === 'uwsgi' ? 'ngx_http_uwsgi_module.html' : 'ngx_http_proxy_module.html'}

${hasGroup(spec) ? upstreamGroup : singleUpstream(spec)}
location ${spec.base === '/' ? '/' : `^~ ${spec.base}`} {
${spec.protocol === 'uwsgi' ? uwsgiPass : proxyPass(spec)}
    # Cuts what was silent for so long, an open WebSocket too; default 60s. The app pings every ${spec.app.pingInterval} s and answers a long-poll
    # after ${spec.app.pollWait} s at the latest, so that only the dead fall silent. (!) Not "1d": dead peers would stay for a day.
    ${moduleOf(spec)}_read_timeout ${readTimeout(spec)}s;
    ${moduleOf(spec)}_send_timeout ${readTimeout(spec)}s;

    # An app that does not answer at once is down; default 60s.
    ${moduleOf(spec)}_connect_timeout 5s;

    # Answers go out as they come: events must not wait in a buffer until it is full. Default on.
    ${moduleOf(spec)}_buffering off;

${spec.shared && hasGroup(spec) ? retryOnce(spec) : noRetry(spec)}
    # As much as the app itself takes (--limit-post), the default is 1m.
    # https://nginx.org/en/docs/http/ngx_http_core_module.html#client_max_body_size
    client_max_body_size ${nginxSize(spec.app.limitPost)};

${closable}
${limited(spec)}
    # See snippets/genkan-down.conf.
    error_page 502 504 @genkan_down;
    error_page 503 @genkan_closed;
    error_page 429 @genkan_busy;

    include snippets/genkan-headers.conf;
${accessLog(spec)}}
${spec.base === '/' ? '' : slashRedirect(spec)}`;

const noRetry = (spec: SiteSpec): string => `\
    # A request is sent once. By default nginx repeats it elsewhere when one address fails: a message would come twice, a room be in
    # two places, and one request that ends a worker would end them all.
    ${moduleOf(spec)}_next_upstream off;
`;

const retryOnce = (spec: SiteSpec): string => `\
    # A request goes to one other when the first does not answer; a POST only if it cannot have been sent, as by default. By default all
    # are tried, so that one request that ends a worker would end them all.
    ${moduleOf(spec)}_next_upstream error timeout;
    ${moduleOf(spec)}_next_upstream_tries 2;
`;

const moduleOf = ({ protocol }: SiteSpec): 'uwsgi' | 'proxy' => (protocol === 'uwsgi' ? 'uwsgi' : 'proxy');

/** In seconds: three missed pings or the longest poll, whichever is longer, plus 5. */
const readTimeout = ({ app: { pingInterval, pollWait } }: SiteSpec): number => Math.max(3 * pingInterval, pollWait) + 5;

/** A size in nginx's syntax, in the largest unit that divides it evenly. */
const nginxSize = (bytes: number): string => {
  if (bytes % 1_048_576 === 0) return `${bytes / 1_048_576}m`;
  return bytes % 1024 === 0 ? `${bytes / 1024}k` : String(bytes);
};

const listenFlag = ({ protocol, upstreams }: SiteSpec): string => {
  const flag = protocol === 'uwsgi' ? '--socket' : '--http-socket';
  return upstreams.map((address) => `${flag} ${address}`)[0] + (upstreams.length > 1 ? ' …' : '');
};

const upstreamGroup = `\
# The group of workers in snippets/genkan-workers.conf.
set $genkan_app ${group};
`;

const singleUpstream = ({ upstreams: [address], resolver }: SiteSpec): string => `\
# The address stands in a variable, so that nginx starts without the app and looks up a name anew while it runs; a name written
# straight into a directive is looked up once, at start.
#
#   TCP           set $genkan_app 127.0.0.1:3031;
#   unix socket   set $genkan_app unix:/run/genkan/genkan.sock;
#   a name        set $genkan_app app.example.net:3031;  and a line  resolver <your name server> valid=10s;
#
# (!) Over TCP the app believes only peers named by its --allow-from, loopback by default. Whoever reaches its socket can claim
# any client address.
${resolver !== undefined && isName(address) ? resolverLines(resolver) : ''}set $genkan_app ${address};
`;

const resolverLines = (resolver: string): string => `
# The name is asked for anew every 2 seconds, so that nginx follows the app to a new container; by default an answer is kept as long
# as it says. https://nginx.org/en/docs/http/ngx_http_core_module.html#resolver
resolver ${resolver} valid=2s ipv6=off;
resolver_timeout 2s;
`;

const uwsgiPass = `\
    # WebSocket needs no directive of its own here: nginx passes Upgrade on and tunnels after the 101.
    uwsgi_pass $genkan_app;

    # (!) Here and nowhere else: one uwsgi_param of its own would make a location lose all of them.
    include snippets/genkan-uwsgi-params.conf;
`;

const proxyPass = (spec: SiteSpec): string => `\
    proxy_pass http://$genkan_app;

    # WebSocket needs 1.1 and both headers; the default is 1.0 (1.1 since nginx 1.29.7) and neither header.
    # https://nginx.org/en/docs/http/websocket.html
    proxy_http_version 1.1;
    proxy_set_header Upgrade    $http_upgrade;
    proxy_set_header Connection $genkan_connection;

    # The default is the address in proxy_pass.
    proxy_set_header Host $genkan_host;

    # (!) A client may send these itself and so claim another address or scheme. Each is replaced, not appended to, and an empty
    # one is not sent.
    proxy_set_header X-Forwarded-For    $remote_addr;
    proxy_set_header X-Forwarded-Proto  ${schemeOf(spec)};
    proxy_set_header X-Forwarded-Host   $genkan_host;
    proxy_set_header X-Forwarded-Port   ${portOf(spec)};
    proxy_set_header X-Forwarded-Prefix '${prefixOf(spec)}';
    proxy_set_header X-Real-IP          $remote_addr;
    proxy_set_header Forwarded          '';
    # Some HTTP clients read a proxy to use from a variable of this name. https://httpoxy.org
    proxy_set_header Proxy              '';

    # The same id in nginx's log and in the app's. https://nginx.org/en/docs/http/ngx_http_core_module.html#var_request_id
    proxy_set_header X-Request-Id $request_id;
`;

const slashRedirect = (spec: SiteSpec): string => `
# A path and no address: by default nginx names the host, port and scheme that it sees itself.
# https://nginx.org/en/docs/http/ngx_http_core_module.html#absolute_redirect
location = ${prefixOf(spec)} {
    absolute_redirect off;
    include snippets/genkan-headers.conf;
${accessLog(spec)}    return 301 ${spec.base};
}
`;
