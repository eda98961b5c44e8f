/** The client address as the app sees it, for machines with all kinds of addresses. */
import { expect, test } from 'vitest';
import { client } from '../../app/doctor/checks/proxy-headers.ts';
import type { Seen } from '../../app/protocol/http-answers.ts';

const seenFrom = (address: string): Seen => ({
  ...{ protocol: 'genkan.v1', by: 'socket', client: address, told: true, prefix: '' },
  ...{ scheme: 'https', host: 'meet.example', origin: 'https://meet.example' },
});

const [here, there] = ['198.51.100.7', '203.0.113.1'];

test.each([
  ['behind NAT', '192.168.1.5', there, here, []],
  ['behind NAT, and its own address arrives', '192.168.1.5', there, '192.168.1.5', ['client-lost']],
  ['behind NAT, and a proxy’s arrives', '10.0.0.9', there, '172.18.0.1', ['client-lost']],
  ['with a public address', here, there, here, []],
  ['with a public address, and another arrives', here, there, '198.51.100.99', ['client-lost']],
  ['by IPv6', '2001:db8::7', '2001:db8::1', '2001:db8::7', []],
  ['by IPv6, and a proxy’s arrives', '2001:db8::7', '2001:db8::1', '::ffff:172.18.0.1', ['client-lost']],
  ['in the same LAN', '192.168.1.5', '192.168.1.2', '192.168.1.5', []],
  ['on the same machine, through Docker', '127.0.0.1', '127.0.0.1', '172.18.0.1', []],
  ['on a closed connection', '', '', here, []],
])('%s: %s to %s, seen as %s → %j', (_, local, remote, address, finds) => {
  const seen = seenFrom(address);
  const findings = client(seen, seen, { local, remote });
  expect(findings.flatMap((one) => ('name' in one ? [one.name] : []))).toEqual(finds);
});
