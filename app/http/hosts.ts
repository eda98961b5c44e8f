/** Which hosts are served: those of `--allowed-hosts`, or all. */

/** Whether a request that names `host` (as in the Host header), from a client of this address, is answered. */
export type AnswersFor = (host: string | undefined, client: string) => boolean;

/**
 * @param allowed `meet.example` (any port), `meet.example:8443` (that port), `*.meet.example` (below it, any depth);
 * none = every host
 */
export const answersFor = (allowed: readonly string[]): AnswersFor => {
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

const localNames = new Set(['localhost', '127.0.0.1', '[::1]']);

const isLoopback = (address: string): boolean => /^(?:::ffff:)?127\.|^::1$|^unix:?$/.test(address);

/** Lower case, and without the dot that may end a full name. */
const plain = (host: string): string => host.toLowerCase().replace(/\.(?=:\d*$|$)/, '');

const withoutPort = (host: string): string => host.replace(/:\d*$/, '');
