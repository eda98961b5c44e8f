/** snippets/genkan-limits.conf: limits for each client address. */
import { pattern, type SiteSpec } from './site-spec.ts';

export const limits = ({ base, limits: { handshakes } }: SiteSpec): string => `\
# Zones for the limits per client address; the limits themselves are in snippets/genkan-app.conf. They are generous because a school
# or an office often shares one address. Messages within a WebSocket are not counted here: the app limits them per peer.
# (!) Behind a proxy that is not listed in --trusted-proxy all visitors share the proxy's address.
# nginx 1.22 or later, in the http block. By default nginx limits nothing.

# A handshake is a new WebSocket or a join over plain HTTP. Requests with an empty key are not counted.
# https://nginx.org/en/docs/http/ngx_http_limit_req_module.html
map $uri $genkan_handshake {
    default '';
    "~^${pattern(base)}rooms/[^/]+/(?:ws|join)/?$" $binary_remote_addr;
}
limit_req_zone $genkan_handshake zone=genkan_handshakes:10m rate=${handshakes}r/s;

# A WebSocket counts for as long as it is open. https://nginx.org/en/docs/http/ngx_http_limit_conn_module.html
limit_conn_zone $binary_remote_addr zone=genkan_connections:10m;
`;

/** The lines for the app's location. */
export const limited = ({ limits: { handshakes, connections, dryRun } }: SiteSpec): string => `\
    # Per client address: ${handshakes} handshakes per second (burst ${5 * handshakes}) and ${connections} connections, see snippets/genkan-limits.conf. Excess requests
    # get 429; the default is 503, which would mean that the app is down. Clients retry later by themselves.
    limit_req zone=genkan_handshakes burst=${5 * handshakes} nodelay;
    limit_conn genkan_connections ${connections};
    limit_req_status 429;
    limit_conn_status 429;
${dryRun ? dryRunLines : ''}`;

const dryRunLines = `\

    # Dry run: log what would be rejected (limit_req and limit_conn in the access log), but reject nothing. Default off.
    # https://nginx.org/en/docs/http/ngx_http_limit_req_module.html#limit_req_dry_run
    limit_req_dry_run on;
    limit_conn_dry_run on;
`;
