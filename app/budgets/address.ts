/** Which budgets a client address uses: an IPv4 address its own; an IPv6 address those of its /64, /56 and /48. */

/** How many times the limits of the smallest network a larger one has: a /64, the /56 and the /48 around it. */
export const networkScale = [1, 2, 4] as const;

/**
 * The keys of an address, the smallest network first. One household or machine has a whole /64 at least and often a /56, an
 * organisation a /48 (RFC 6177), and each may use any address in it. All clients whose address is unknown share one key.
 * @param address as in a socket or a header, or a key that this function returned
 */
export const addressLevels = (address = ''): string[] => {
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1];
  if (mapped !== undefined || !address.includes(':')) return [mapped ?? address];
  const [a = 0, b = 0, c = 0, d = 0] = groupsOf(address);
  const text = (...groups: number[]) => groups.map((group) => group.toString(16)).join(':');
  return [`${text(a, b, c, d)}::/64`, `${text(a, b, c, d & 0xff00)}::/56`, `${text(a, b, c)}::/48`];
};

/** The key of the smallest network: what a peer is remembered by. */
export const smallestNetwork = (address: string | undefined): string => addressLevels(address)[0] ?? '';

/** The key of the network that a household has at most: what a host may keep out. */
export const householdNetwork = (address: string | undefined): string => {
  const levels = addressLevels(address);
  return levels[1] ?? levels[0] ?? '';
};

/** The key of the largest network: whose share something is when one party is not to take all of it. */
export const largestNetwork = (address: string | undefined): string => addressLevels(address).at(-1) ?? '';

/** The first four of the eight groups of an IPv6 address. */
const groupsOf = (address: string): number[] => {
  const [head = '', tail] = address.replace(/[%/].*$/, '').split('::');
  const groups = head === '' ? [] : head.split(':');
  const behind = tail ? tail.split(':') : [];
  while (tail !== undefined && groups.length + behind.length < 8) groups.push('0');
  return [...groups, ...behind].slice(0, 4).map((group) => Number.parseInt(group, 16));
};
