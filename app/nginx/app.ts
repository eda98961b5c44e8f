/** snippets/genkan-app.conf: where the app is, and everything that nginx passes on to it. */
import { limited } from './limits.ts';
import { closable } from './maintenance.ts';
import { portOf, schemeOf } from './maps.ts';
import { accessLog } from './site.ts';
import { prefixOf, type SiteSpec } from './site-spec.ts';
import { group, hasGroup, isName } from './workers.ts';

export const app = (situation: SiteSpec): string => `\
# Where the app is and how nginx talks to it. Tell the app the same: \`genkan ${listener(situation)}\`.
# Everything that is not a file goes there. nginx 1.22 or later.
# https://nginx.org/en/docs/http/${situation.protocol === 'uwsgi' ? 'ngx_http_uwsgi_module.html' : 'ngx_http_proxy_module.html'}

${hasGroup(situation) ? several : single(situation)}
location ${situation.base === '/' ? '/' : `^~ ${situation.base}`} {
${situation.protocol === 'uwsgi' ? byUwsgi : byHttp(situation)}
    # Cuts what was silent for so long, an open WebSocket too; default 60s. The app pings every ${situation.app.pingInterval} s and answers a long-poll
    # after ${situation.app.pollWait} s at the latest, so that only the dead fall silent. (!) Not "1d": dead peers would stay for a day.
    ${verb(situation)}_read_timeout ${silence(situation)}s;
    ${verb(situation)}_send_timeout ${silence(situation)}s;

    # An app that does not answer at once is down; default 60s.
    ${verb(situation)}_connect_timeout 5s;

    # Answers go out as they come: events must not wait in a buffer until it is full. Default on.
    ${verb(situation)}_buffering off;

${situation.shared && hasGroup(situation) ? elsewhere(situation) : once(situation)}
    # As much as the app itself takes (--limit-post), the default is 1m.
    # https://nginx.org/en/docs/http/ngx_http_core_module.html#client_max_body_size
    client_max_body_size ${size(situation.app.limitPost)};

${closable}
${limited(situation)}
    # See snippets/genkan-down.conf.
    error_page 502 504 @genkan_down;
    error_page 503 @genkan_closed;
    error_page 429 @genkan_busy;

    include snippets/genkan-headers.conf;
${accessLog(situation)}}
${situation.base === '/' ? '' : withoutSlash(situation)}`;

const once = (situation: SiteSpec): string => `\
    # A request is sent once. By default nginx repeats it elsewhere when one address fails: a message would come twice, a room be in
    # two places, and one request that ends a worker would end them all.
    ${verb(situation)}_next_upstream off;
`;

const elsewhere = (situation: SiteSpec): string => `\
    # A request goes to one other when the first does not answer; a POST only if it cannot have been sent, as by default. By default all
    # are tried, so that one request that ends a worker would end them all.
    ${verb(situation)}_next_upstream error timeout;
    ${verb(situation)}_next_upstream_tries 2;
`;

const verb = ({ protocol }: SiteSpec): 'uwsgi' | 'proxy' => (protocol === 'uwsgi' ? 'uwsgi' : 'proxy');

/** Three pings that were not answered, and a little. */
const silence = ({ app: { pingInterval, pollWait } }: SiteSpec): number => Math.max(3 * pingInterval, pollWait) + 5;

/** In the largest unit that leaves no rest. */
const size = (bytes: number): string => {
  if (bytes % 1_048_576 === 0) return `${bytes / 1_048_576}m`;
  return bytes % 1024 === 0 ? `${bytes / 1024}k` : String(bytes);
};

const listener = ({ protocol, upstreams }: SiteSpec): string => {
  const flag = protocol === 'uwsgi' ? '--socket' : '--http-socket';
  return upstreams.map((address) => `${flag} ${address}`)[0] + (upstreams.length > 1 ? ' …' : '');
};

const several = `\
# The group of workers in snippets/genkan-workers.conf.
set $genkan_app ${group};
`;

const single = ({ upstreams: [address], resolver }: SiteSpec): string => `\
# The address stands in a variable, so that nginx starts without the app and looks up a name anew while it runs; a name written
# straight into a directive is looked up once, at start.
#
#   TCP           set $genkan_app 127.0.0.1:3031;
#   unix socket   set $genkan_app unix:/run/genkan/genkan.sock;
#   a name        set $genkan_app app.example.net:3031;  and a line  resolver <your name server> valid=10s;
#
# (!) Over TCP the app believes only peers named by its --allow-from, loopback by default. Whoever reaches its socket can claim
# any client address.
${resolver !== undefined && isName(address) ? resolving(resolver) : ''}set $genkan_app ${address};
`;

const resolving = (resolver: string): string => `
# The name is asked for anew every 2 seconds, so that nginx follows the app to a new container; by default an answer is kept as long
# as it says. https://nginx.org/en/docs/http/ngx_http_core_module.html#resolver
resolver ${resolver} valid=2s ipv6=off;
resolver_timeout 2s;
`;

const byUwsgi = `\
    # WebSocket needs no directive of its own here: nginx passes Upgrade on and tunnels after the 101.
    uwsgi_pass $genkan_app;

    # (!) Here and nowhere else: one uwsgi_param of its own would make a location lose all of them.
    include snippets/genkan-uwsgi-params.conf;
`;

const byHttp = (situation: SiteSpec): string => `\
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
    proxy_set_header X-Forwarded-Proto  ${schemeOf(situation)};
    proxy_set_header X-Forwarded-Host   $genkan_host;
    proxy_set_header X-Forwarded-Port   ${portOf(situation)};
    proxy_set_header X-Forwarded-Prefix '${prefixOf(situation)}';
    proxy_set_header X-Real-IP          $remote_addr;
    proxy_set_header Forwarded          '';
    # Some HTTP clients read a proxy to use from a variable of this name. https://httpoxy.org
    proxy_set_header Proxy              '';

    # The same id in nginx's log and in the app's. https://nginx.org/en/docs/http/ngx_http_core_module.html#var_request_id
    proxy_set_header X-Request-Id $request_id;
`;

const withoutSlash = (situation: SiteSpec): string => `
# A path and no address: by default nginx names the host, port and scheme that it sees itself.
# https://nginx.org/en/docs/http/ngx_http_core_module.html#absolute_redirect
location = ${prefixOf(situation)} {
    absolute_redirect off;
    include snippets/genkan-headers.conf;
${accessLog(situation)}    return 301 ${situation.base};
}
`;
