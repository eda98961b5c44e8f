/** snippets/genkan-workers.conf: several workers or hosts of the app, and which of them has a room. */
import { pattern, type SiteSpec } from './site-spec.ts';
import { knows } from './version.ts';

/** The name of the group, by which the app's location passes on to it. */
export const group = 'genkan';

/** Several addresses, or a name that may have several. With one address there is nothing to choose. */
export const hasGroup = (situation: SiteSpec): boolean =>
  situation.upstreams.length > 1 || isResolved(situation, situation.upstreams[0]);

export const workers = (situation: SiteSpec): string => (hasGroup(situation) ? grouped(situation) : none);

const none = `\
# Several workers of the app, and which of them has a room. Here is one, in snippets/genkan-app.conf; \`genkan nginx\` with --upstream
# for each worker or host writes their group here.
`;

const grouped = (situation: SiteSpec): string => `\
${situation.shared ? '# Which worker has a room: the others could serve it too, but not without asking the store more often.' : '# A room lives in one worker: everything about it must go there.'} nginx 1.22 or later, in the http block.

# The room's name in the path: decoded, as $uri always is, so that a name gives the same key in whatever way it was
# percent-encoded. What is about no room, such as the first page, goes to any.
# https://nginx.org/en/docs/http/ngx_http_map_module.html
map $uri $genkan_room {
    default $request_id;
    "~^${pattern(situation.base)}rooms/(?<genkan_room_name>[^/]+)" $genkan_room_name;
}

${situation.upstreams.length > 1 ? listed : replicas}
${situation.resolver && named(situation) ? resolving(situation) : ''}
${situation.shared ? anyServes : oneHas}
${situation.upstreams.map((address) => `    server ${address}${situation.shared ? '' : ' max_fails=0'}${isResolved(situation, address) ? ' resolve' : ''};`).join('\n')}
${situation.protocol === 'http' ? keepAlive(situation) : ''}}
`;

const listed = `\
# (!) The same list in the same words on every nginx, or they disagree about who has a room. \`consistent\`: when a worker is
# added or taken away only its share of the rooms moves. https://nginx.org/en/docs/http/ngx_http_upstream_module.html#hash
upstream ${group} {
    hash $genkan_room consistent;`;

const oneHas = `\
    # (!) max_fails=0: by default nginx takes a worker for dead after one failure and sends its rooms to others for ten
    # seconds, so that a room is in two places. A worker that is being replaced keeps its socket, and who calls waits.`;

const anyServes = `\
    # All have one store (--store), so any of them serves any room: who does not answer is left out for ten seconds, as by default.`;

const replicas = `\
# Every address of the name is a replica. (!) More than one need a store (--store): when an address comes or goes most rooms get another one.
# Not \`consistent\`, which takes all addresses of one name for one server. https://nginx.org/en/docs/http/ngx_http_upstream_module.html#hash
upstream ${group} {
    hash $genkan_room;`;

/** A name, neither an IP address nor a unix socket. */
export const isName = (address: string): boolean => !/^unix:|^\[|^[\d.]+:/.test(address);

const named = ({ upstreams, version }: SiteSpec): boolean => knows(version).resolve && upstreams.some(isName);

const isResolved = ({ resolver, version }: SiteSpec, address: string): boolean =>
  resolver !== undefined && knows(version).resolve && isName(address);

const resolving = ({ resolver, upstreams }: SiteSpec): string => `\

    # Looked up anew every ${upstreams.length > 1 ? '10' : '2'} seconds, so that nginx follows what is replaced, nginx 1.27.3 or later; by default once, at start.
    zone ${group} 64k;
    resolver ${resolver} ${upstreams.length > 1 ? 'valid=10s' : 'valid=2s ipv6=off'};
    resolver_timeout 2s;
`;

const keepAlive = ({ app: { keepAlive: seconds } }: SiteSpec): string => `\

    # Connections to the app that wait for their next request, for each nginx worker; by default none before nginx 1.29.7.
    # nginx closes them before the app does (--keep-alive-timeout ${seconds}), or a request would meet a closing one; default 60s.
    keepalive 32;
    keepalive_timeout ${Math.max(1, Math.min(60, seconds - 5))}s;
`;
