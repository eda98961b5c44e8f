/** snippets/genkan-limits.conf: limits for each client address. */
import { pattern, type SiteSpec } from './site-spec.ts';

export const limits = ({ base, limits: { handshakes } }: SiteSpec): string => `\
# What one address may ask for; snippets/genkan-app.conf says how much of it. A school or an office is one address, so both are
# generous. Messages in a WebSocket are not counted here: the app limits those, for each peer.
# (!) Behind a proxy that --trusted-proxy does not name all visitors are one address, the proxy's.
# nginx 1.22 or later, in the http block. By default nothing is limited.

# A handshake is a WebSocket that begins or a join by plain HTTP. Requests whose key is empty are not counted.
# https://nginx.org/en/docs/http/ngx_http_limit_req_module.html
map $uri $genkan_handshake {
    default '';
    "~^${pattern(base)}rooms/[^/]+/(?:ws|join)/?$" $binary_remote_addr;
}
limit_req_zone $genkan_handshake zone=genkan_handshakes:10m rate=${handshakes}r/s;

# A WebSocket counts as long as it is open. https://nginx.org/en/docs/http/ngx_http_limit_conn_module.html
limit_conn_zone $binary_remote_addr zone=genkan_connections:10m;
`;

/** The lines for the app's location. */
export const limited = ({ limits: { handshakes, connections, dryRun } }: SiteSpec): string => `\
    # For one address, see snippets/genkan-limits.conf: ${5 * handshakes} handshakes at once and then ${handshakes} a second, ${connections} connections.
    # Beyond: 429, by default 503, which would say that the app is down. Clients come back by themselves, later.
    limit_req zone=genkan_handshakes burst=${5 * handshakes} nodelay;
    limit_conn genkan_connections ${connections};
    limit_req_status 429;
    limit_conn_status 429;
${dryRun ? dryRunLines : ''}`;

const dryRunLines = `\

    # For trial: nobody is refused, and the access log says in limit_req and limit_conn who would have been. Default off.
    # https://nginx.org/en/docs/http/ngx_http_limit_req_module.html#limit_req_dry_run
    limit_req_dry_run on;
    limit_conn_dry_run on;
`;
