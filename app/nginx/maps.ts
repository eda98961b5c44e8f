/** snippets/genkan-maps.conf: variables that nginx computes for each request. */
import type { SiteSpec } from './site-spec.ts';
import { knows } from './version.ts';

export const maps = (spec: SiteSpec): string => `\
# Variables computed for each request. nginx 1.22 or later, in the http block.
# https://nginx.org/en/docs/http/ngx_http_map_module.html

${hostMap(spec)}
# Connection header for requests to the app over HTTP: "upgrade" for a WebSocket, otherwise empty, so that nginx reuses the connection.
# By default "close", empty since nginx 1.29.7. https://nginx.org/en/docs/http/websocket.html
map $http_upgrade $genkan_connection {
    default upgrade;
    ''      '';
}

# Cache-Control for static files. Files with a content hash in their name never change: cached for a year without revalidation.
# All others are revalidated each time.
# https://developer.mozilla.org/en-US/docs/Web/HTTP/Reference/Headers/Cache-Control#immutable
map $uri $genkan_cache {
    default "no-cache";
    "~-[\\w-]{8}\\.[a-z0-9]+$" "public, max-age=31536000, immutable";
}

# For locations that log only failed requests.
map $status $genkan_failed {
    default 1;
    "~^[23]" 0;
}
${spec.trustedProxies.length > 0 ? forwardedMaps(spec) : ''}`;

/** The host and port that the client requested: the app compares them with Origin. */
const hostMap = ({ version }: SiteSpec): string => (knows(version).requestPort ? hostFromRequestPort : hostFromHeader);

const hostFromRequestPort = `\
# Host as requested by the client, with port: the app compares it with Origin. $host lacks the port; $http_host is missing in HTTP/3
# and is overridden by a host in the request line. nginx 1.29.3 or later.
# https://nginx.org/en/docs/http/ngx_http_core_module.html#var_request_port
map '' $genkan_host {
    default $host$is_request_port$request_port;
}
`;

const hostFromHeader = `\
# Host as sent by the client, with port: the app compares it with Origin. $host lacks the port; without a Host header, as in HTTP/3,
# it is used with the port that nginx listens on. (!) If the port is mapped, for example by Docker, that is not the client's port;
# for nginx 1.29.3 and later \`genkan nginx\` writes $host$is_request_port$request_port, which is.
# https://nginx.org/en/docs/http/ngx_http_core_module.html#var_host
map $http_host $genkan_host {
    default $http_host;
    ''      $host$genkan_port;
}
map $server_port $genkan_port {
    default :$server_port;
    80      '';
    443     '';
    # On a unix socket.
    ''      '';
}
`;

/** The variable that holds the client's scheme. */
export const schemeOf = ({ trustedProxies }: SiteSpec): string =>
  trustedProxies.length > 0 ? '$genkan_scheme' : '$scheme';

/** The variable that holds the client's port if a trusted proxy in front of nginx removes it from Host; otherwise empty. */
export const portOf = ({ trustedProxies }: SiteSpec): string =>
  trustedProxies.length > 0 ? '$genkan_client_port' : "''";

const forwardedMaps = ({ trustedProxies }: SiteSpec): string => `
# The client's scheme: as reported by the proxy in front of nginx, but only if that proxy is trusted.
# $realip_remote_addr is the connecting address, before snippets/genkan-real-ip.conf replaced it with the client's.
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

# The client's port, from proxies that remove it from Host.
map "$genkan_from_proxy $http_x_forwarded_port" $genkan_client_port {
    default '';
    "~^1 (?<genkan_said_port>\\d+)$" $genkan_said_port;
}
`;
