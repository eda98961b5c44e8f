/** snippets/genkan-app.conf: the app's address and the location that proxies requests to it. */
import { limited, limitedPosts } from './limits.ts';
import { closable } from './maintenance.ts';
import { portOf, schemeOf } from './maps.ts';
import { accessLog } from './site.ts';
import { pattern, prefixOf, type SiteSpec } from './site-spec.ts';
import { group, hasGroup, isDistributed, isName } from './workers.ts';

export const app = (spec: SiteSpec): string => `\
# The upstream (the app) and the location that passes requests to it: everything except static files.
# The app must listen on the same address: \`genkan ${listenFlag(spec)}\`. nginx 1.22 or later.
# https://nginx.org/en/docs/http/${spec.protocol === 'uwsgi' ? 'ngx_http_uwsgi_module.html' : 'ngx_http_proxy_module.html'}

${hasGroup(spec) ? upstreamGroup : singleUpstream(spec)}
location ${spec.base === '/' ? '/' : `^~ ${spec.base}`} {
${spec.protocol === 'uwsgi' ? uwsgiPass : proxyPass(spec)}
    # Closes idle connections, including WebSockets; default 60s. The app pings every ${spec.app.pingInterval} s and answers a long poll within
    # ${spec.app.pollWait} s, so only dead connections time out. (!) Do not set "1d": dead peers would stay connected for a day.
    ${moduleOf(spec)}_read_timeout ${readTimeout(spec)}s;
    ${moduleOf(spec)}_send_timeout ${readTimeout(spec)}s;

    # An app that accepts no connection within 5 s is considered down; default 60s.
    ${moduleOf(spec)}_connect_timeout 5s;

    # Send responses immediately: events must not wait until a buffer is full. Default on.
    ${moduleOf(spec)}_buffering off;

${spec.shared && isDistributed(spec) ? retryOnce(spec) : noRetry(spec)}
${bodyLimits(spec)}
${closable}
${limited(spec)}
    # See snippets/genkan-down.conf.
    error_page 502 504 @genkan_down;
    error_page 503 @genkan_closed;
    error_page 429 @genkan_busy;
${spec.mode === 'location' ? ownErrors(spec) : ''}
    include snippets/genkan-headers.conf;
${accessLog(spec)}
${messages(spec)}}
${spec.base === '/' ? '' : slashRedirect(spec)}`;

const ownErrors = (spec: SiteSpec): string => `\
    # The site around it may have switched this on, which would replace the error responses of the app.
    ${moduleOf(spec)}_intercept_errors off;
`;

/** Bytes of any body but that of messages; as in the app. */
const smallBody = 16_384;

const bodyLimits = ({ app: { limitPost } }: SiteSpec): string => `\
    # nginx stores a body until it is complete: up to the buffer size in memory, the rest in a file. By default a body may have 1m,
    # and 60 s may pass between two reads. Only messages need more than one small buffer, see below.
    # https://nginx.org/en/docs/http/ngx_http_core_module.html#client_max_body_size
    client_max_body_size ${nginxSize(Math.min(smallBody, limitPost))};
    client_body_buffer_size ${nginxSize(Math.min(smallBody, limitPost))};
    client_body_timeout 10s;
`;

/** Everything else is inherited from the location around it. */
const messages = (spec: SiteSpec): string => `\
    # Messages over plain HTTP, up to the app's limit (--limit-post). One message (--max-message-bytes) fits into memory, so it does not
    # need the space that a flood of large bodies fills.
    # At the same time ${spec.limits.posts} of these requests per client address, see snippets/genkan-limits.conf.
    location ~ ^${pattern(spec.base)}rooms/[^/]+/messages/?$ {
        ${spec.protocol === 'uwsgi' ? 'uwsgi_pass $genkan_app' : 'proxy_pass http://$genkan_app'};
        client_max_body_size ${nginxSize(spec.app.limitPost)};
        client_body_buffer_size 64k;

${limitedPosts(spec)}    }
`;

const noRetry = (spec: SiteSpec): string => `\
    # No retries. By default nginx repeats a failed request on another server: messages could arrive twice, a room could exist on
    # two workers, and a request that crashes one worker would crash them all.
    ${moduleOf(spec)}_next_upstream off;
`;

const retryOnce = (spec: SiteSpec): string => `\
    # Retry on one other server if the first fails; a POST only if it was not sent yet, as by default. By default nginx tries every
    # server, so a request that crashes one worker would crash them all.
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
# The upstream group in snippets/genkan-workers.conf.
set $genkan_app ${group};
`;

const singleUpstream = ({ upstreams: [address], resolver }: SiteSpec): string => `\
# The address is in a variable, so that nginx starts without the app and resolves a host name again at run time. A name written
# directly into a directive is resolved only once, at start.
#
#   TCP           set $genkan_app 127.0.0.1:3031;
#   unix socket   set $genkan_app unix:/run/genkan/genkan.sock;
#   host name     set $genkan_app app.example.net:3031;  plus  resolver <your name server> valid=10s;
#
# (!) Over TCP the app trusts only the addresses in its --allow-from, by default loopback. Anyone who can connect to its socket can
# claim any client address.
${resolver !== undefined && isName(address) ? resolverLines(resolver) : ''}set $genkan_app ${address};
`;

const resolverLines = (resolver: string): string => `
# Resolve the name every 2 seconds, so that nginx follows the app to a new container; by default the TTL of the DNS record applies.
# https://nginx.org/en/docs/http/ngx_http_core_module.html#resolver
resolver ${resolver} valid=2s ipv6=off;
resolver_timeout 2s;
`;

const uwsgiPass = `\
    # WebSocket needs no extra directives here: nginx passes Upgrade on and tunnels after the 101.
    uwsgi_pass $genkan_app;

    # (!) Included here, not at server level: a single uwsgi_param in a location would disable all inherited ones.
    include snippets/genkan-uwsgi-params.conf;
`;

const proxyPass = (spec: SiteSpec): string => `\
    proxy_pass http://$genkan_app;

    # WebSocket needs HTTP/1.1 and both headers; by default nginx uses 1.0 (1.1 since nginx 1.29.7) and sends neither.
    # https://nginx.org/en/docs/http/websocket.html
    proxy_http_version 1.1;
    proxy_set_header Upgrade    $http_upgrade;
    proxy_set_header Connection $genkan_connection;

    # By default the address in proxy_pass.
    proxy_set_header Host $genkan_host;

    # (!) A client could forge these headers to claim another address or scheme. Each is overwritten, not appended to; an empty
    # value removes the header.
    proxy_set_header X-Forwarded-For    $remote_addr;
    proxy_set_header X-Forwarded-Proto  ${schemeOf(spec)};
    proxy_set_header X-Forwarded-Host   $genkan_host;
    proxy_set_header X-Forwarded-Port   ${portOf(spec)};
    proxy_set_header X-Forwarded-Prefix '${prefixOf(spec)}';
    proxy_set_header X-Real-IP          $remote_addr;
    proxy_set_header Forwarded          '';
    # httpoxy: some HTTP clients take their proxy from this header. https://httpoxy.org
    proxy_set_header Proxy              '';

    # The same request id in the logs of nginx and the app. https://nginx.org/en/docs/http/ngx_http_core_module.html#var_request_id
    proxy_set_header X-Request-Id $request_id;
`;

const slashRedirect = (spec: SiteSpec): string => `
# Redirect with a relative URL: by default nginx inserts its own host, port and scheme.
# https://nginx.org/en/docs/http/ngx_http_core_module.html#absolute_redirect
location = ${prefixOf(spec)} {
    absolute_redirect off;
    include snippets/genkan-headers.conf;
${accessLog(spec)}    return 301 ${spec.base};
}
`;
