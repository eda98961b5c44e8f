/** What the app receives about a request: client address, host, scheme; and whether a client can forge them. */
import { BlockList, isIP } from 'node:net';
import type { Seen } from '../../protocol/http-answers.ts';
import { originPolicy } from '../../web/allowed-origins.ts';
import { type Check, type Finding, found, ok, orOk, skipped } from '../finding.ts';
import type { Site, SiteResponse } from '../target.ts';
import { fetchRequestEcho } from './app-identity.ts';

export const proxyHeaders: Check = {
  name: 'front',
  needs: ['genkan'],
  async run(site) {
    const { origin } = site.url;
    const [one, other] = [await fetchRequestEcho(site, { headers: { Origin: origin } }), await fetchRequestEcho(site)];
    if (!one.seen || !other.seen) return [skipped('the app did not report how it sees requests')];
    return orOk(
      [...passedOn(site, one.seen), ...client(one.seen, other.seen, one.answer), ...listener(one.seen, one.answer)],
      `the app sees ${one.seen.scheme}://${one.seen.host}, requested by ${one.seen.client}`,
    );
  },
};

/** Whether host, origin and scheme reach the app, so that it recognises its own page. */
export const passedOn = ({ url }: Site, seen: Seen): Finding[] => [
  ...hostFindings(url, seen),
  ...(seen.origin === url.origin
    ? []
    : [found('origin-lost', `${url.origin} was sent, the app receives ${seen.origin}`)]),
  ...(`${seen.scheme}:` === url.protocol ? [] : [found('scheme-lost', `the app receives the scheme ${seen.scheme}`)]),
];

const isSameOrigin = originPolicy([]);

const hostFindings = ({ origin, protocol, hostname, host }: URL, seen: Seen): Finding[] => {
  const scheme = protocol.slice(0, -1);
  if (isSameOrigin({ origin, site: undefined, scheme, host: seen.host, port: seen.port })) return [];
  const difference = `${host} was requested, the app receives ${seen.host}`;
  if (URL.parse(`${protocol}//${seen.host}`)?.hostname !== hostname) return [found('host-lost', difference)];
  return [found('port-lost', seen.port === undefined ? difference : `${difference} and port ${seen.port}`)];
};

/** A front end sends Server or Via; the app on its own sends neither. */
const listener = ({ by }: Seen, { headers }: SiteResponse): Finding[] => {
  const frontEnd = headers.server ?? headers.via;
  return by === 'http' && frontEnd !== undefined
    ? [found('listener-for-browsers', `${frontEnd} is in front of it`)]
    : [];
};

/**
 * Whether the app knows the address of this machine.
 * @param one how the app saw one request, and `other` the next
 * @param connection the addresses of its ends, as this machine sees them
 */
export const client = (one: Seen, other: Seen, connection: Pick<SiteResponse, 'local' | 'remote'>): Finding[] => {
  const { local, remote } = connection;
  if (!one.told) return [found('client-lost', 'the front end does not send the client address to the app')];
  if (one.client !== other.client)
    return [found('client-unsteady', `the app sees two requests from here as from ${one.client} and ${other.client}`)];
  // NAT may change the address of this machine, but never to a private one on the way to a public one.
  const isHidden = (isPublic(remote) && !isPublic(one.client)) || (isPublic(local) && one.client !== unmapped(local));
  return isHidden ? [found('client-lost', `the app takes ${one.client} for the address of this machine`)] : [];
};

const unmapped = (address: string): string => address.replace(/^::ffff:(?=\d+\.)/, '');

const privateNetworks = new BlockList();
for (const [network, bits] of [
  ['10.0.0.0', 8],
  ['100.64.0.0', 10],
  ['127.0.0.0', 8],
  ['169.254.0.0', 16],
  ['172.16.0.0', 12],
  ['192.168.0.0', 16],
] as const)
  privateNetworks.addSubnet(network, bits);
for (const [network, bits] of [
  ['::', 127],
  ['fc00::', 7],
  ['fe80::', 10],
] as const)
  privateNetworks.addSubnet(network, bits, 'ipv6');

const isPublic = (address: string | null): boolean => {
  const bare = unmapped(address ?? '');
  const family = isIP(bare);
  return family !== 0 && !privateNetworks.check(bare, family === 6 ? 'ipv6' : 'ipv4');
};

/** Reserved, so nobody has them: https://www.rfc-editor.org/rfc/rfc5737, https://www.rfc-editor.org/rfc/rfc2606 */
const [reservedAddress, reservedName] = ['192.0.2.66', 'forged.invalid'];

export const forgery: Check = {
  name: 'forgery',
  needs: ['genkan'],
  async run(site) {
    const { seen: expected } = await fetchRequestEcho(site);
    const forgedValues = {
      client: reservedAddress,
      host: reservedName,
      scheme: site.url.protocol === 'https:' ? 'http' : 'https',
      prefix: '/forged',
    };
    const { seen, answer } = await fetchRequestEcho(site, { headers: forgedHeaders(forgedValues.scheme) });
    if (!expected) return [skipped('the app did not report how it sees requests')];
    if (!seen) return [found('client-forgeable', `a request with forged headers returned ${answer.status}`)];
    const names = (['client', 'host', 'scheme', 'prefix'] as const).filter(
      (name) => seen[name] === forgedValues[name] && seen[name] !== expected[name],
    );
    return names.length > 0
      ? [found('client-forgeable', `the app trusts forged values for ${names.join(', ')}`)]
      : [ok('forged values for address, host, scheme and path are ignored')];
  },
};

const forgedHeaders = (scheme: string) => ({
  'X-Forwarded-For': reservedAddress,
  'X-Real-IP': reservedAddress,
  Forwarded: `for=${reservedAddress};host=${reservedName};proto=${scheme}`,
  'X-Forwarded-Host': reservedName,
  'X-Forwarded-Proto': scheme,
  'X-Forwarded-Prefix': '/forged',
});

/** Tolerated difference between the clocks, in seconds. */
const leeway = 30;

export const clock: Check = {
  name: 'clock',
  needs: ['genkan'],
  async run(site) {
    const { date } = (await fetchRequestEcho(site)).answer.headers;
    const skew = Math.round((Date.parse(date ?? '') - Date.now()) / 1000);
    if (Number.isNaN(skew)) return [skipped('responses have no Date header')];
    const text = `the site's clock is ${Math.abs(skew)} s ${skew < 0 ? 'behind' : 'ahead of'} the clock here`;
    return [Math.abs(skew) > leeway ? found('clock-skew', text) : ok(text)];
  },
};
