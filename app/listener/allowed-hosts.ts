/** Host checks: against `--allowed-hosts`, and for local listeners against DNS rebinding. */
import { isIP } from 'node:net';

/** Whether to serve a request for `host` (as in the Host header) from a client at this address. */
export type IsServed = (host: string | undefined, client: string) => boolean;

/**
 * @param allowed `meet.example` (any port), `meet.example:8443` (that port), `*.meet.example` (below it, any depth);
 * none = every host
 */
export const allowedHosts = (allowed: readonly string[]): IsServed => {
  if (allowed.length === 0) return () => true;
  const names = new Set(allowed.filter((name) => !name.startsWith('*.')).map(normalize));
  const parents = allowed.filter((name) => name.startsWith('*.')).map((name) => normalize(name.slice(1)));
  return (host, client) => {
    if (host === undefined || host === '') return false;
    const name = normalize(host);
    const bare = withoutPort(name);
    if (names.has(name) || names.has(bare)) return true;
    // Health checks on this machine use localhost; no remote client can connect from a loopback address.
    if (isLoopback(client) && localNames.has(bare)) return true;
    return parents.some((parent) => name.endsWith(parent) || bare.endsWith(parent));
  };
};

/**
 * For a listener protected only by its network. In a DNS rebinding attack the page's host name resolves to this address, but the
 * browser still sends that name as Host. So only loopback names, `listenHost` and names in `allowed` are served. IP addresses are
 * always served, since no page of another origin can send one.
 * @param listenHost host that the listener is configured to listen on
 */
export const allowedHostNames = (
  listenHost: string | undefined,
  allowed: readonly string[],
): ((host: string | undefined) => boolean) => {
  const isAllowed = allowed.length === 0 ? () => false : allowedHosts(allowed);
  return (host) => {
    // Every browser sends Host.
    if (host === undefined || host === '') return true;
    const bare = withoutPort(normalize(host));
    if (isIP(bare.replace(/^\[(.*)\]$/, '$1')) > 0 || bare === 'localhost' || bare.endsWith('.localhost')) return true;
    return bare === listenHost?.toLowerCase() || isAllowed(host, '');
  };
};

const localNames = new Set(['localhost', '127.0.0.1', '[::1]']);

const isLoopback = (address: string): boolean => /^(?:::ffff:)?127\.|^::1$|^unix:?$/.test(address);

/** Lower case, without the trailing dot of a fully qualified name. */
const normalize = (host: string): string => host.toLowerCase().replace(/\.(?=:\d*$|$)/, '');

const withoutPort = (host: string): string => host.replace(/:\d*$/, '');
