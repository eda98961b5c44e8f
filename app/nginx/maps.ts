/** snippets/genkan-maps.conf: variables that nginx computes for each request. */
import type { SiteSpec } from './site-spec.ts';
import { knows } from './version.ts';
import { hasGroup } from './workers.ts';

export const maps = (spec: SiteSpec): string => `\
# What is worked out for a request before it is passed on. nginx 1.22 or later, in the http block.
# https://nginx.org/en/docs/http/ngx_http_map_module.html

${hostMap(spec)}
# Connection header towards the app when it is reached over HTTP: "upgrade" for a WebSocket${connectionComment(spec)}
# https://nginx.org/en/docs/http/websocket.html
map $http_upgrade $genkan_connection {
    default upgrade;
    ''      ${hasGroup(spec) ? "''" : 'close'};
}

# How long a file may be kept. The build writes the hash of a file's content into its name, so that such a file never changes: a
# year, and no question when the page is loaded again. Any other is asked for again each time.
# https://developer.mozilla.org/en-US/docs/Web/HTTP/Reference/Headers/Cache-Control#immutable
map $uri $genkan_cache {
    default "no-cache";
    "~-[\\w-]{8}\\.[a-z0-9]+$" "public, max-age=31536000, immutable";
}

# Whether an answer is worth a line in the log where most are not.
map $status $genkan_failed {
    default 1;
    "~^[23]" 0;
}
${spec.trustedProxies.length > 0 ? forwardedMaps(spec) : ''}`;

/** The host and port that the client requested: the app compares them with Origin. */
const hostMap = ({ version }: SiteSpec): string => (knows(version).requestPort ? hostFromRequestPort : hostFromHeader);

const hostFromRequestPort = `\
# Host as the client has it, with its port: the app compares it with Origin. $host alone has lost the port. By HTTP/3 there is no
# $http_host, and where the request line names a host that one counts. nginx 1.29.3 or later.
# https://nginx.org/en/docs/http/ngx_http_core_module.html#var_request_port
map '' $genkan_host {
    default $host$is_request_port$request_port;
}
`;

const hostFromHeader = `\
# Host as the client wrote it, with its port: the app compares it with Origin. $host has lost the port; it stands in where there
# is no Host header, as in HTTP/3, with the port that nginx listens at. (!) Behind a port of another number, as Docker publishes
# them, that is not the client's: from nginx 1.29.3 on $host$is_request_port$request_port is, and genkan nginx writes it.
# https://nginx.org/en/docs/http/ngx_http_core_module.html#var_host
map $http_host $genkan_host {
    default $http_host;
    ''      $host$genkan_port;
}
map $server_port $genkan_port {
    default :$server_port;
    80      '';
    443     '';
    # By a unix socket.
    ''      '';
}
`;

const connectionComment = (spec: SiteSpec): string =>
  hasGroup(spec)
    ? ' and nothing otherwise,\n# so that the connection stays open for the next request.'
    : ', "close" otherwise:\n# nginx keeps no connection to a single address open, and the app need not wait for another request.';

/** The variable that holds the client's scheme. */
export const schemeOf = ({ trustedProxies }: SiteSpec): string =>
  trustedProxies.length > 0 ? '$genkan_scheme' : '$scheme';

/** The variable that holds the client's port if a trusted proxy in front of nginx removes it from Host; otherwise empty. */
export const portOf = ({ trustedProxies }: SiteSpec): string =>
  trustedProxies.length > 0 ? '$genkan_client_port' : "''";

const forwardedMaps = ({ trustedProxies }: SiteSpec): string => `
# By which scheme the client came: what the proxy before nginx says, and only if it is one that is trusted.
# $realip_remote_addr is who connected, before snippets/genkan-real-ip.conf put the client in its place.
# https://nginx.org/en/docs/http/ngx_http_geo_module.html
geo $realip_remote_addr $genkan_from_proxy {
    default 0;
${trustedProxies.map((network) => `    ${network} 1;`).join('\n')}
}
map "$genkan_from_proxy $http_x_forwarded_proto" $genkan_scheme {
    default   $scheme;
    "1 http"  http;
    "1 https" https;
}

# And to which port: proxies that leave none in Host say so here.
map "$genkan_from_proxy $http_x_forwarded_port" $genkan_client_port {
    default '';
    "~^1 (?<genkan_said_port>\\d+)$" $genkan_said_port;
}
`;
