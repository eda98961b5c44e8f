/** snippets/genkan-limits.conf: limits for each client address, and for all clients together. */
import { pattern, type SiteSpec } from './site-spec.ts';

/** Connections that all clients together may use for bodies, as a multiple of one client's. */
const postShares = 8;
/** What an IPv6 /48 may use, as a multiple of a /64, as in the app. */
const networkShares = 4;

export const limits = ({ base, limits: { handshakes } }: SiteSpec): string => `\
# Zones for the limits per client address; the limits themselves are in snippets/genkan-app.conf. They are generous because a school
# or an office often shares one address. Messages within a WebSocket are not counted here: the app limits them per peer.
# (!) Behind a proxy that is not listed in --trusted-proxy all visitors share the proxy's address.
# (!) Connections count from the end of the request head on. nginx cannot limit those with an incomplete head: use a firewall.
# nginx 1.22 or later, in the http block. By default nginx limits nothing.

# The client: its IPv4 address or its IPv6 /64, in binary. A subscriber has at least a /64, and could use all of its addresses.
# https://nginx.org/en/docs/http/ngx_http_core_module.html#var_binary_remote_addr
map $binary_remote_addr $genkan_client {
    default $binary_remote_addr;
    # An IPv4 client of an IPv6 socket (listen … ipv6only=off).
    "~(?s)^\\x00{10}\\xFF{2}(?<genkan_ipv4>.{4})\\z" $genkan_ipv4;
    "~(?s)^(?<genkan_64>.{8}).{8}\\z" $genkan_64;
}

# The IPv6 /48, which may use ${networkShares} times as much as a /64. Requests with an empty key are not counted.
map $binary_remote_addr $genkan_network {
    default '';
    "~(?s)^\\x00{10}\\xFF{2}" '';
    "~(?s)^(?<genkan_48>.{6}).{10}\\z" $genkan_48;
}

# A handshake is a new WebSocket, or a join or a new room over plain HTTP. https://nginx.org/en/docs/http/ngx_http_limit_req_module.html
map $uri $genkan_handshake {
    default '';
    "~^${pattern(base)}rooms/[^/]+/(?:ws|join|create)/?$" $genkan_client;
}
map $uri $genkan_network_handshake {
    default '';
    "~^${pattern(base)}rooms/[^/]+/(?:ws|join|create)/?$" $genkan_network;
}
limit_req_zone $genkan_handshake zone=genkan_handshakes:10m rate=${handshakes}r/s;
limit_req_zone $genkan_network_handshake zone=genkan_network_handshakes:10m rate=${networkShares * handshakes}r/s;

# A WebSocket counts for as long as it is open. https://nginx.org/en/docs/http/ngx_http_limit_conn_module.html
limit_conn_zone $genkan_client zone=genkan_connections:10m;
limit_conn_zone $genkan_network zone=genkan_network_connections:10m;

# The requests that may have a large body, also those of all clients together (key: all): nginx stores bodies until they are complete.
limit_conn_zone $genkan_client zone=genkan_posts:2m;
limit_conn_zone $genkan_network zone=genkan_network_posts:2m;
limit_conn_zone all zone=genkan_all_posts:32k;
`;

/** The lines for the app's location. */
export const limited = ({ limits: { handshakes, connections, dryRun } }: SiteSpec): string => `\
    # Per client address: ${handshakes} handshakes per second (burst ${5 * handshakes}) and ${connections} connections, see snippets/genkan-limits.conf. Excess requests
    # get 429; the default is 503, which would mean that the app is down. Clients retry later by themselves.
    limit_req zone=genkan_handshakes burst=${5 * handshakes} nodelay;
    limit_req zone=genkan_network_handshakes burst=${5 * networkShares * handshakes} nodelay;
${connectionLimits(connections, '    ')}\
    limit_req_status 429;
    limit_conn_status 429;
${dryRun ? dryRunLines : ''}`;

/** The lines for the location of requests with large bodies. A limit_conn there disables those that it would inherit. */
export const limitedPosts = ({ limits: { connections, posts } }: SiteSpec): string => `\
${connectionLimits(connections, '        ')}\
        limit_conn genkan_posts ${posts};
        limit_conn genkan_network_posts ${atMost(networkShares * posts)};
        limit_conn genkan_all_posts ${atMost(postShares * posts)};
`;

const connectionLimits = (connections: number, indent: string): string => `\
${indent}limit_conn genkan_connections ${connections};
${indent}limit_conn genkan_network_connections ${atMost(networkShares * connections)};
`;

/** nginx accepts no larger limit. */
const atMost = (count: number): number => Math.min(count, 65_535);

const dryRunLines = `\

    # Dry run: log what would be rejected (limit_req and limit_conn in the access log), but reject nothing. Default off.
    # https://nginx.org/en/docs/http/ngx_http_limit_req_module.html#limit_req_dry_run
    limit_req_dry_run on;
    limit_conn_dry_run on;
`;
