/**
 * deploy/turnserver.conf in the coturn of this machine: the addresses it relays to, and the ports of its own that the guide's firewall
 * leaves open.
 */
import { spawnSync } from 'node:child_process';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { without } from '../setup/without.ts';
import type { TurnClient } from '../stack/turn-client.ts';
import { scriptsOf } from './guide.ts';
import { type Coturn, startCoturn } from './turnserver.ts';

/** The first and last address of every range in the IANA registries that is not globally reachable, and of others that no peer has. */
const refused = [
  ['0.0.0.0', '0.255.255.255', '10.0.0.0', '10.255.255.255', '100.64.0.0', '100.127.255.255', '127.0.0.1'],
  ['127.255.255.255', '169.254.0.0', '169.254.169.254', '169.254.255.255', '172.16.0.0', '172.31.255.255'],
  ['192.0.0.0', '192.0.0.255', '192.0.2.0', '192.0.2.255', '192.88.99.0', '192.88.99.255', '192.168.0.0'],
  ['192.168.255.255', '198.18.0.0', '198.19.255.255', '198.51.100.0', '198.51.100.255', '203.0.113.0'],
  ['203.0.113.255', '224.0.0.1', '239.255.255.255', '240.0.0.0', '255.255.255.255'],
  // Azure's metadata service.
  ['168.63.129.16'],
].flat();
const refused6 = [
  [
    '::',
    '::1',
    '::10.0.0.0',
    '::10.0.0.1',
    '::10.0.1.0',
    '::0.1.0.0',
    '::8.8.8.8',
    '::ffff:0.0.0.0',
    '::ffff:8.8.8.8',
    '::ffff:255.255.255.255',
  ],
  // IPv4-translated, ::ffff:0:0:0/96.
  ['::ffff:0:0.0.0.0', '::ffff:0:10.0.0.1', '::ffff:0:255.255.255.255'],
  ['64:ff9b::', '64:ff9b::255.255.255.255', '64:ff9b:1::', '64:ff9b:1:ffff:ffff:ffff:ffff:ffff'],
  ['100::', '100::ffff:ffff:ffff:ffff', '100:0:0:1::', '100:0:0:1:ffff:ffff:ffff:ffff'],
  ['1fff:ffff::', '2001::', '2001:0:ffff::', '2001:2::1', '2001:1ff:ffff::', '2001:db8::', '2001:db8:ffff::'],
  ['2002::', '2002:ffff::', '3fff::', '3fff:fff:ffff::', '4000::', '5f00::', '5f00:ffff::', 'fc00::', 'fdff::'],
  // AWS' metadata service.
  ['fd00:ec2::254', 'fe80::', 'febf:ffff::', 'fec0::', 'feff:ffff::', 'ff02::1', 'ffff::'],
].flat();
const open = [
  '8.8.8.8',
  '9.255.255.255',
  '11.0.0.0',
  '100.63.255.255',
  '168.63.129.15',
  '168.63.129.17',
  '223.255.255.255',
];
const open6 = ['2001:200::', '2001:4860:4860::8888', '2003::', '2606:4700::1', '2a00::1', '3ffe:ffff::'];

describe.skipIf(without('coturn'))('coturn', () => {
  let coturn: Coturn;
  let client: TurnClient;
  let client6: TurnClient;
  beforeAll(async () => {
    coturn = await startCoturn(['allowed-peer-ip=10.1.2.3', 'allowed-peer-ip=2001:db8::2']);
    client = coturn.client();
    client6 = coturn.client();
    expect(await client.allocate()).toBe(0);
    expect(await client6.allocate({ ipv6: true })).toBe(0);
  });
  afterAll(async () => {
    client?.close();
    client6?.close();
    await coturn?.stop();
  });
  const outcomes = async (from: TurnClient, peers: string[]) => {
    const found: Record<string, number> = {};
    for (const peer of peers) found[peer] = await from.permit(peer);
    return found;
  };
  const all = (peers: string[], outcome: number) => Object.fromEntries(peers.map((peer) => [peer, outcome]));

  test('does not relay to addresses internal to its machine, nor to reserved ones', async () => {
    expect(await outcomes(client, refused)).toEqual(all(refused, 403));
    expect(await outcomes(client6, refused6)).toEqual(all(refused6, 403));
  });
  test('relays to the Internet, up to the edges of the denied ranges', async () => {
    expect(await outcomes(client, open)).toEqual(all(open, 0));
    expect(await outcomes(client6, open6)).toEqual(all(open6, 0));
  });
  test('relays to addresses that are explicitly allowed', async () => {
    expect(await client.permit('10.1.2.3')).toBe(0);
    expect(await client6.permit('2001:db8::2')).toBe(0);
  });
});

/** Runs in a network namespace in which 8.8.4.4 is the public address. → `from>to` ports of the datagrams that arrived */
const probe = (tries: [from: number, to: number][]): string[] => {
  const program = `
    import { createSocket } from 'node:dgram';
    const bind = (port) => new Promise((resolve) => {
      const socket = createSocket('udp4');
      socket.bind(port, '8.8.4.4', () => resolve(socket));
    });
    for (const [from, to] of ${JSON.stringify(tries)}) {
      const [sender, receiver] = [await bind(from), await bind(to)];
      // On one machine a datagram arrives when it is sent: a later one from an allowed port shows that the earlier one was dropped.
      // A port that the system chooses may be one of the relay's, which is not allowed.
      const other = await bind(40001);
      const heard = new Promise((resolve) => receiver.on('message', (text, { port }) => {
        if (port === from) console.log(from + '>' + to);
        if (port === other.address().port) resolve();
      }));
      sender.on('error', () => {});
      await new Promise((sent) => sender.send('x', to, '8.8.4.4', sent));
      other.send('x', to, '8.8.4.4');
      await heard;
      for (const socket of [sender, receiver, other]) socket.close();
    }`;
  const [firewall = ''] = scriptsOf('turn-firewall');
  const script = `set -e; PATH="$PATH:/usr/sbin:/sbin"; ip link set lo up; ip address add 8.8.4.4/32 dev lo
    ${firewall}
    exec "$NODE" --input-type=module -e "$PROGRAM"`;
  const env = { ...process.env, NODE: process.execPath, PROGRAM: program };
  const { status, stdout, stderr } = spawnSync('unshare', ['-n', 'sh', '-c', script], {
    env,
    encoding: 'utf8',
    timeout: 30_000,
  });
  if (status !== 0) throw new Error(stderr);
  return stdout.split('\n').filter(Boolean);
};

test.skipIf(process.getuid?.() !== 0 || without('iptables', 'iproute2'))(
  'the firewall of the guide lets a relay reach no port of its own machine but relays',
  () => {
    expect(
      probe([
        [49160, 53],
        [49359, 3478],
        [49160, 49359],
        [49359, 49160],
        [3478, 40_000],
        [49159, 53],
      ]),
    ).toEqual(['49160>49359', '49359>49160', '3478>40000', '49159>53']);
  },
);
