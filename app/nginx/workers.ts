/** snippets/genkan-workers.conf: sends each room to one of several workers or hosts of the app. */
import { pattern, type SiteSpec } from './site-spec.ts';
import { knows } from './version.ts';

/** Name of the upstream group that the app's location passes requests to. */
export const group = 'genkan';

/** Whether there are several addresses, or a name that may resolve to several. */
export const hasGroup = (spec: SiteSpec): boolean => spec.upstreams.length > 1 || isResolved(spec, spec.upstreams[0]);

export const workers = (spec: SiteSpec): string => (hasGroup(spec) ? upstreamGroup(spec) : noGroup);

const noGroup = `\
# Several workers of the app, and which of them has a room. Here is one, in snippets/genkan-app.conf; \`genkan nginx\` with --upstream
# for each worker or host writes their group here.
`;

const upstreamGroup = (spec: SiteSpec): string => `\
${spec.shared ? '# Which worker has a room: the others could serve it too, but not without asking the store more often.' : '# A room lives in one worker: everything about it must go there.'} nginx 1.22 or later, in the http block.

# The room's name in the path: decoded, as $uri always is, so that a name gives the same key in whatever way it was
# percent-encoded. What is about no room, such as the first page, goes to any.
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
# (!) The same list in the same words on every nginx, or they disagree about who has a room. \`consistent\`: when a worker is
# added or taken away only its share of the rooms moves. https://nginx.org/en/docs/http/ngx_http_upstream_module.html#hash
upstream ${group} {
    hash $genkan_room consistent;`;

const noFailover = `\
    # (!) max_fails=0: by default nginx takes a worker for dead after one failure and sends its rooms to others for ten
    # seconds, so that a room is in two places. A worker that is being replaced keeps its socket, and who calls waits.`;

const failover = `\
    # All have one store (--store), so any of them serves any room: who does not answer is left out for ten seconds, as by default.`;

const replicaHash = `\
# Every address of the name is a replica. (!) More than one need a store (--store): when an address comes or goes most rooms get another one.
# Not \`consistent\`, which takes all addresses of one name for one server. https://nginx.org/en/docs/http/ngx_http_upstream_module.html#hash
upstream ${group} {
    hash $genkan_room;`;

/** Whether an upstream is a host name, not an IP address or a unix socket. */
export const isName = (address: string): boolean => !/^unix:|^\[|^[\d.]+:/.test(address);

const hasResolvedName = ({ upstreams, version }: SiteSpec): boolean => knows(version).resolve && upstreams.some(isName);

const isResolved = ({ resolver, version }: SiteSpec, address: string): boolean =>
  resolver !== undefined && knows(version).resolve && isName(address);

const resolverLines = ({ resolver, upstreams }: SiteSpec): string => `\

    # Looked up anew every ${upstreams.length > 1 ? '10' : '2'} seconds, so that nginx follows what is replaced, nginx 1.27.3 or later; by default once, at start.
    zone ${group} 64k;
    resolver ${resolver} ${upstreams.length > 1 ? 'valid=10s' : 'valid=2s ipv6=off'};
    resolver_timeout 2s;
`;

const keepAliveLines = ({ app: { keepAlive: seconds } }: SiteSpec): string => `\

    # Connections to the app that wait for their next request, for each nginx worker; by default none before nginx 1.29.7.
    # nginx closes them before the app does (--keep-alive-timeout ${seconds}), or a request would meet a closing one; default 60s.
    keepalive 32;
    keepalive_timeout ${Math.max(1, Math.min(60, seconds - 5))}s;
`;
