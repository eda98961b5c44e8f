/** snippets/genkan-workers.conf: sends each room to one of several workers or hosts of the app, and keeps connections to them open. */
import { pattern, type SiteSpec } from './site-spec.ts';
import { knows } from './version.ts';

/** Name of the upstream group that the app's location passes requests to. */
export const group = 'genkan';

/** Whether there are several addresses, or a name that may resolve to several. */
export const isDistributed = (spec: SiteSpec): boolean =>
  spec.upstreams.length > 1 || isResolved(spec, spec.upstreams[0]);

/** By HTTP also with one address: without a group nginx reuses no connection. */
export const hasGroup = (spec: SiteSpec): boolean =>
  isDistributed(spec) || (spec.protocol === 'http' && !isName(spec.upstreams[0]));

export const workers = (spec: SiteSpec): string => {
  if (isDistributed(spec)) return hashedGroup(spec);
  return hasGroup(spec) ? singleServer(spec) : noGroup;
};

const noGroup = `\
# For several app workers. This configuration has only one, in snippets/genkan-app.conf. Run \`genkan nginx\` with an --upstream for
# each worker or host to generate the upstream group here.
`;

const singleServer = (spec: SiteSpec): string => `\
# The address of the app, in an upstream group, so that nginx reuses connections. nginx 1.22 or later, in the http block.
# For several app workers, run \`genkan nginx\` with an --upstream for each worker or host.
#
#   TCP           server 127.0.0.1:3031;
#   unix socket   server unix:/run/genkan/genkan.sock;
#
# (!) Over TCP the app trusts only the addresses in its --allow-from, by default loopback. Anyone who can connect to its socket can
# claim any client address.
# https://nginx.org/en/docs/http/ngx_http_upstream_module.html#upstream
upstream ${group} {
    server ${spec.upstreams[0]};
${keepAliveLines(spec)}}
`;

const hashedGroup = (spec: SiteSpec): string => `\
${spec.shared ? '# Sends each room to one worker: any worker could serve it, but with more queries to the store.' : '# Each room lives in one worker: all its requests must go there.'} nginx 1.22 or later, in the http block.

# The room name from the path. $uri is decoded, so that the key does not depend on percent-encoding. Requests without a room, such
# as the start page, go to any worker.
# https://nginx.org/en/docs/http/ngx_http_map_module.html
map $uri $genkan_room {
    default $request_id;
    "~^${pattern(spec.base)}rooms/(?<genkan_room_name>[^/]+)" $genkan_room_name;
}

${spec.upstreams.length > 1 ? consistentHash : replicaHash}
${spec.resolver && hasResolvedName(spec) ? resolverLines(spec) : ''}
${spec.shared ? failover : noFailover}
${spec.upstreams.map((address) => `    server ${address}${spec.shared ? '' : ' max_fails=0'}${isResolved(spec, address) ? ' resolve' : ''};`).join('\n')}
${spec.protocol === 'http' ? keepAliveLines(spec) : ''}}
`;

const consistentHash = `\
# (!) The list must be identical on every nginx, or they would send a room to different workers. \`consistent\`: adding or removing a
# worker moves only its share of the rooms. https://nginx.org/en/docs/http/ngx_http_upstream_module.html#hash
upstream ${group} {
    hash $genkan_room consistent;`;

const noFailover = `\
    # (!) max_fails=0: by default one failure marks a worker as down, and for ten seconds its rooms go to others, so that a room could
    # exist twice. While a worker is being replaced, its socket stays open and requests wait.`;

const failover = `\
    # All share one store (--store), so any of them can serve any room: a failed one is skipped for ten seconds, as by default.`;

const replicaHash = `\
# Each address of the name is a replica. (!) Several replicas need a store (--store): most rooms move when an address is added or
# removed. Not \`consistent\`, which treats all addresses of a name as one server.
# https://nginx.org/en/docs/http/ngx_http_upstream_module.html#hash
upstream ${group} {
    hash $genkan_room;`;

/** Whether an upstream is a host name, not an IP address or a unix socket. */
export const isName = (address: string): boolean => !/^unix:|^\[|^[\d.]+:/.test(address);

const hasResolvedName = ({ upstreams, version }: SiteSpec): boolean => knows(version).resolve && upstreams.some(isName);

const isResolved = ({ resolver, version }: SiteSpec, address: string): boolean =>
  resolver !== undefined && knows(version).resolve && isName(address);

const resolverLines = ({ resolver, upstreams }: SiteSpec): string => `\

    # Resolve names every ${upstreams.length > 1 ? '10' : '2'} seconds to follow replaced hosts, nginx 1.27.3 or later; by default once, at start.
    zone ${group} 64k;
    resolver ${resolver} ${upstreams.length > 1 ? 'valid=10s' : 'valid=2s ipv6=off'};
    resolver_timeout 2s;
`;

const keepAliveLines = ({ app: { keepAlive } }: SiteSpec): string => `\

    # Idle connections to the app kept open by each nginx worker; by default none before nginx 1.29.7.
    # (!) nginx must close them before the app does (--keep-alive-timeout ${keepAlive}), or a request could hit a closing one, and be
    # answered with 502; default 60s. https://nginx.org/en/docs/http/ngx_http_upstream_module.html#keepalive_timeout
    keepalive 32;
    keepalive_timeout ${nginxTime(idleTime(keepAlive))};
`;

/**
 * Seconds that nginx keeps an idle connection: nginx's default, or less, so that it closes the connection well before the app.
 * @param keepAlive the app's keep-alive-timeout, in seconds
 */
export const idleTime = (keepAlive: number): number => Math.min(60, keepAlive > 10 ? keepAlive - 5 : keepAlive / 2);

/** Seconds in nginx's syntax. */
const nginxTime = (seconds: number): string =>
  Number.isInteger(seconds) ? `${seconds}s` : `${Math.floor(seconds * 1000)}ms`;
