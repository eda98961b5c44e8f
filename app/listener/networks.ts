/** Network lists in CIDR notation, and whether a peer is in one. */
import { BlockList, type Socket } from 'node:net';

/** @param networks such as `192.0.2.0/24`, or single addresses */
export const inNetworks = (networks: string[]): ((address: string) => boolean) => {
  const list = new BlockList();
  for (const network of networks) {
    const [address = '', bits] = network.split('/');
    const family = address.includes(':') ? 'ipv6' : 'ipv4';
    list.addSubnet(address, bits === undefined ? (family === 'ipv6' ? 128 : 32) : Number(bits), family);
  }
  // A dual-stack socket reports IPv4 peers as ::ffff:a.b.c.d; BlockList matches those against the IPv4 rules.
  return (address) => list.check(address, address.includes(':') ? 'ipv6' : 'ipv4');
};

/** Whether the peer is a trusted front end. A unix socket has no addresses; a TCP socket without a remote address is disconnected. */
export const isFrontEnd = (
  { remoteAddress, localAddress }: Socket,
  allowFrom: (address: string) => boolean,
): boolean =>
  remoteAddress === undefined ? localAddress === undefined : allowFrom(remoteAddress.replace(/^::ffff:(?=\d+\.)/, ''));

/** RFC 1918, RFC 6598, RFC 4193, loopback and link-local. */
export const privateNetworks = [
  '10.0.0.0/8',
  '172.16.0.0/12',
  '192.168.0.0/16',
  '100.64.0.0/10',
  'fc00::/7',
  '127.0.0.0/8',
  '::1',
  '169.254.0.0/16',
  'fe80::/10',
];
