/** Budget keys of a client address: an IPv4 address has its own; an IPv6 address uses those of its /64, /56 and /48. */

/** Multiples of the limits for a /64, the /56 and the /48 around it. */
export const networkScale = [1, 2, 4] as const;

/**
 * The keys of an address, smallest network first. A household or machine has at least a whole /64 and often a /56, an organisation
 * a /48 (RFC 6177), and each may use any address in it. All clients with unknown addresses share one key.
 * @param address as in a socket or header, or a key that this function returned
 */
export const addressLevels = (address = ''): string[] => {
  if (!address.includes(':')) return [address];
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1];
  if (mapped !== undefined) return [mapped];
  const [a = 0, b = 0, c = 0, d = 0] = groupsOf(address);
  const text = (...groups: number[]) => groups.map((group) => group.toString(16)).join(':');
  return [`${text(a, b, c, d)}::/64`, `${text(a, b, c, d & 0xff00)}::/56`, `${text(a, b, c)}::/48`];
};

/** The key of the smallest network, which is stored with a peer. */
export const smallestNetwork = (address: string | undefined): string => addressLevels(address)[0] ?? '';

/** The key of the largest network of a household, which a host may ban. */
export const householdNetwork = (address: string | undefined): string => {
  const levels = addressLevels(address);
  return levels[1] ?? levels[0] ?? '';
};

/** The key of the largest network, for fair shares of a common resource. */
export const largestNetwork = (address: string | undefined): string => addressLevels(address).at(-1) ?? '';

/** The first four of the eight groups of an IPv6 address. */
const groupsOf = (address: string): number[] => {
  const [head = '', tail] = address.replace(/[%/].*$/, '').split('::');
  const groups = head === '' ? [] : head.split(':');
  const tailGroups = tail ? tail.split(':') : [];
  while (tail !== undefined && groups.length + tailGroups.length < 8) groups.push('0');
  return [...groups, ...tailGroups].slice(0, 4).map((group) => Number.parseInt(group, 16));
};
