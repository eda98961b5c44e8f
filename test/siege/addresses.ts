/**
 * The addresses of all clients, and the rooms that the attacker knows. The server trusts its front end about client addresses, which here
 * is the harness: it sets X-Forwarded-For. An honest client uses a loopback address of its own (127.7.x.y), from which its public address
 * is derived.
 */

/** One IPv4 address, and any address of one IPv6 /48. */
export const attackerV4 = '203.0.113.66';
export const attackerV6 = (): string => `2001:db8:66:${group()}::${group()}`;

/** Hosts of honest clients: at home each has an address, in the office 30 share one, and newcomers have those of a /24. */
export const hostAtHome = (nth: number): string => `127.7.0.${nth % 250}`;
export const hostInOffice = (nth: number): string => `127.7.1.${nth % 250}`;
export const hostOfNewcomer = (nth: number): string => `127.7.2.${nth % 250}`;

/** The public address of clients on this loopback address; undefined for any other host. */
export const clientAt = (host: string): string | undefined => {
  const [, block, nth] = /^127\.7\.(\d+)\.(\d+)$/.exec(host) ?? [];
  if (block === '0') return `198.51.100.${nth}`;
  if (block === '1') return '192.0.2.1';
  return block === '2' ? `100.64.2.${nth}` : undefined;
};

/** The names of the rooms that the attacker knows; those of the others cannot be guessed. */
export const known = { passcode: 'siege-passcode', knock: 'siege-knock', open: 'siege-open', full: 'siege-full' };
export const passcode = 'the right passcode';

const group = (): string => Math.floor(Math.random() * 0x10000).toString(16);
