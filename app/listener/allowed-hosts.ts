/** Which hosts are served: those of `--allowed-hosts`, or all; and by a listener that is for this machine. */
import { isIP } from 'node:net';

/** Whether a request that names `host` (as in the Host header), from a client of this address, is answered. */
export type IsServed = (host: string | undefined, client: string) => boolean;

/**
 * @param allowed `meet.example` (any port), `meet.example:8443` (that port), `*.meet.example` (below it, any depth);
 * none = every host
 */
export const allowedHosts = (allowed: readonly string[]): IsServed => {
  if (allowed.length === 0) return () => true;
  const names = new Set(allowed.filter((name) => !name.startsWith('*.')).map(plain));
  const parents = allowed.filter((name) => name.startsWith('*.')).map((name) => plain(name.slice(1)));
  return (host, client) => {
    if (host === undefined || host === '') return false;
    const name = plain(host);
    const bare = withoutPort(name);
    if (names.has(name) || names.has(bare)) return true;
    // A health check on the machine itself asks for localhost; nobody else can be there.
    if (isLoopback(client) && localNames.has(bare)) return true;
    return parents.some((parent) => name.endsWith(parent) || bare.endsWith(parent));
  };
};

/**
 * For a listener that only its network protects. A page whose name was rebound to this address (DNS rebinding) still sends its
 * own name as Host: so the names served are the loopback's, `own`, and those allowed by name. Any IP address is served, since no
 * page of another origin can send one.
 * @param own host that the listener was told to listen on
 */
export const allowedHostNames = (
  own: string | undefined,
  allowed: readonly string[],
): ((host: string | undefined) => boolean) => {
  const isAllowed = allowed.length === 0 ? () => false : allowedHosts(allowed);
  return (host) => {
    // No browser leaves it out.
    if (host === undefined || host === '') return true;
    const bare = withoutPort(plain(host));
    if (isIP(bare.replace(/^\[(.*)\]$/, '$1')) > 0 || bare === 'localhost' || bare.endsWith('.localhost')) return true;
    return bare === own?.toLowerCase() || isAllowed(host, '');
  };
};

const localNames = new Set(['localhost', '127.0.0.1', '[::1]']);

const isLoopback = (address: string): boolean => /^(?:::ffff:)?127\.|^::1$|^unix:?$/.test(address);

/** Lower case, and without the dot that may end a full name. */
const plain = (host: string): string => host.toLowerCase().replace(/\.(?=:\d*$|$)/, '');

const withoutPort = (host: string): string => host.replace(/:\d*$/, '');
