/**
 * Who has which address, and which rooms the attacker knows. The server believes its front end about clients, which here is the harness: it says X-Forwarded-For. An
 * honest client asks a loopback address of its own (127.7.x.y), which its public address follows from.
 */

/** One IPv4 address, and any address of one IPv6 /48. */
export const attackerV4 = '203.0.113.66';
export const attackerV6 = (): string => `2001:db8:66:${group()}::${group()}`;

/** Hosts of honest clients: at home each has an address, in the office 30 share one, and newcomers have those of a /24. */
export const hostAtHome = (nth: number): string => `127.7.0.${nth % 250}`;
export const hostInOffice = (nth: number): string => `127.7.1.${nth % 250}`;
export const hostOfNewcomer = (nth: number): string => `127.7.2.${nth % 250}`;

/** The public address of clients of this loopback address; undefined for any other host. */
export const clientAt = (host: string): string | undefined => {
  const [, block, nth] = /^127\.7\.(\d+)\.(\d+)$/.exec(host) ?? [];
  if (block === '0') return `198.51.100.${nth}`;
  if (block === '1') return '192.0.2.1';
  return block === '2' ? `100.64.2.${nth}` : undefined;
};

/** Names of the rooms that the attacker knows; the others have names that nobody guesses. */
export const known = { passcode: 'siege-passcode', knock: 'siege-knock', open: 'siege-open', full: 'siege-full' };
export const passcode = 'the right passcode';

const group = (): string => Math.floor(Math.random() * 0x10000).toString(16);
