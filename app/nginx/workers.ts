/** snippets/genkan-workers.conf: several workers or hosts of the app, and which of them has a room. */
import { pattern, type Situation } from './situation.ts';
import { knows } from './version.ts';

/** The name of the group, by which the app's location passes on to it. */
export const group = 'genkan';

export const workers = (situation: Situation): string => `\
# A room lives in one worker: everything about it must go there. nginx 1.22 or later, in the http block.

# The room's name in the path: decoded, as $uri always is, so that a name gives the same key in whatever way it was
# percent-encoded. What is about no room, such as the first page, goes to any.
# https://nginx.org/en/docs/http/ngx_http_map_module.html
map $uri $genkan_room {
    default $request_id;
    "~^${pattern(situation.base)}rooms/(?<genkan_room_name>[^/]+)" $genkan_room_name;
}

# (!) The same list in the same words on every nginx, or they disagree about who has a room. \`consistent\`: when a worker is
# added or taken away only its share of the rooms moves. https://nginx.org/en/docs/http/ngx_http_upstream_module.html#hash
upstream ${group} {
    hash $genkan_room consistent;
${situation.resolver && named(situation) ? resolving(situation.resolver) : ''}
    # (!) max_fails=0: by default nginx takes a worker for dead after one failure and sends its rooms to others for ten
    # seconds, so that a room is in two places. A worker that is being replaced keeps its socket, and who calls waits.
${situation.upstreams.map((address) => `    server ${address} max_fails=0${isResolved(situation, address) ? ' resolve' : ''};`).join('\n')}
${situation.protocol === 'http' ? keepAlive(situation) : ''}}
`;

/** A name, neither an IP address nor a unix socket. */
export const isName = (address: string): boolean => !/^unix:|^\[|^[\d.]+:/.test(address);

const named = ({ upstreams, version }: Situation): boolean => knows(version).resolve && upstreams.some(isName);

const isResolved = (situation: Situation, address: string): boolean =>
  situation.resolver !== undefined && knows(situation.version).resolve && isName(address);

const resolving = (resolver: string): string => `\

    # Names are looked up anew every 10 seconds, nginx 1.27.3 or later; by default once, at start.
    zone ${group} 64k;
    resolver ${resolver} valid=10s;
`;

const keepAlive = ({ app: { keepAlive: seconds } }: Situation): string => `\

    # Connections to the app that wait for their next request, for each nginx worker; by default none before nginx 1.29.7.
    # nginx closes them before the app does (--keep-alive-timeout ${seconds}), or a request would meet a closing one; default 60s.
    keepalive 32;
    keepalive_timeout ${Math.max(1, Math.min(60, seconds - 5))}s;
`;
