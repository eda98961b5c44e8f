/** What the app is told of a request: who asks, for which host, by which scheme; and whether it can be told lies. */
import { BlockList, isIP } from 'node:net';
import type { Seen } from '../../protocol/messages.ts';
import { originPolicy } from '../../web/allowed-origins.ts';
import { type Check, type Finding, found, ok, orOk, skipped } from '../finding.ts';
import type { Answer, Site } from '../target.ts';
import { fetchRequestEcho } from './app-identity.ts';

export const proxyHeaders: Check = {
  name: 'front',
  needs: ['genkan'],
  async run(site) {
    const { origin } = site.url;
    const [one, other] = [await fetchRequestEcho(site, { headers: { Origin: origin } }), await fetchRequestEcho(site)];
    if (!one.seen || !other.seen) return [skipped('the app did not say how it sees requests')];
    return orOk(
      [...passedOn(site, one.seen), ...client(one.seen, other.seen, one.answer), ...listener(one.seen, one.answer)],
      `the app sees ${one.seen.scheme}://${one.seen.host}, asked for by ${one.seen.client}`,
    );
  },
};

/** Whether the app is told what a page needs to be taken for its own. */
export const passedOn = ({ url }: Site, seen: Seen): Finding[] => [
  ...hostTold(url, seen),
  ...(seen.origin === url.origin
    ? []
    : [found('origin-lost', `${url.origin} was sent, the app is told ${seen.origin}`)]),
  ...(`${seen.scheme}:` === url.protocol
    ? []
    : [found('scheme-lost', `the app is told that visitors come by ${seen.scheme}`)]),
];

const isOwn = originPolicy([]);

const hostTold = ({ origin, protocol, hostname, host }: URL, told: Seen): Finding[] => {
  const scheme = protocol.slice(0, -1);
  if (isOwn({ origin, site: undefined, scheme, host: told.host, port: told.port })) return [];
  const said = `${host} is asked for, the app is told ${told.host}`;
  if (URL.parse(`${protocol}//${told.host}`)?.hostname !== hostname) return [found('host-lost', said)];
  return [found('port-lost', told.port === undefined ? said : `${said} and port ${told.port}`)];
};

/** A front end says who it is, or speaks for others; the app by itself does neither. */
const listener = ({ by }: Seen, { headers }: Answer): Finding[] => {
  const who = headers.server ?? headers.via;
  return by === 'http' && who !== undefined ? [found('listener-for-browsers', `${who} stands before it`)] : [];
};

const client = (one: Seen, other: Seen, { local, remote }: Answer): Finding[] => {
  if (!one.told) return [found('client-lost', 'the front end does not tell the app who asks')];
  if (one.client !== other.client)
    return [found('client-unsteady', `two requests from here came from ${one.client} and ${other.client}`)];
  // Somebody between may have given this machine another address, but never a private one on the way to a public one.
  const isHidden = (isPublic(remote) && !isPublic(one.client)) || (isPublic(local) && one.client !== plain(local));
  return isHidden ? [found('client-lost', `the app takes ${one.client} for the address of this machine`)] : [];
};

const plain = (address: string): string => address.replace(/^::ffff:(?=\d+\.)/, '');

const special = new BlockList();
for (const [network, bits] of [
  ['10.0.0.0', 8],
  ['100.64.0.0', 10],
  ['127.0.0.0', 8],
  ['169.254.0.0', 16],
  ['172.16.0.0', 12],
  ['192.168.0.0', 16],
] as const)
  special.addSubnet(network, bits);
for (const [network, bits] of [
  ['::', 127],
  ['fc00::', 7],
  ['fe80::', 10],
] as const)
  special.addSubnet(network, bits, 'ipv6');

const isPublic = (address: string | null): boolean => {
  const bare = plain(address ?? '');
  const family = isIP(bare);
  return family !== 0 && !special.check(bare, family === 6 ? 'ipv6' : 'ipv4');
};

/** Addresses and names that nobody has: https://www.rfc-editor.org/rfc/rfc5737, https://www.rfc-editor.org/rfc/rfc2606 */
const [nobody, nowhere] = ['192.0.2.66', 'forged.invalid'];

export const forgery: Check = {
  name: 'forgery',
  needs: ['genkan'],
  async run(site) {
    const { seen: truth } = await fetchRequestEcho(site);
    const lies = {
      client: nobody,
      host: nowhere,
      scheme: site.url.protocol === 'https:' ? 'http' : 'https',
      prefix: '/forged',
    };
    const { seen, answer } = await fetchRequestEcho(site, { headers: forged(lies.scheme) });
    if (!truth) return [skipped('the app did not say how it sees requests')];
    if (!seen) return [found('client-forgeable', `with forged headers the answer is ${answer.status}`)];
    const names = (['client', 'host', 'scheme', 'prefix'] as const).filter(
      (name) => seen[name] === lies[name] && seen[name] !== truth[name],
    );
    return names.length > 0
      ? [found('client-forgeable', `the app believes what a client says of its ${names.join(', ')}`)]
      : [ok('what a client claims of its address, host, scheme and path is not believed')];
  },
};

const forged = (scheme: string) => ({
  'X-Forwarded-For': nobody,
  'X-Real-IP': nobody,
  Forwarded: `for=${nobody};host=${nowhere};proto=${scheme}`,
  'X-Forwarded-Host': nowhere,
  'X-Forwarded-Proto': scheme,
  'X-Forwarded-Prefix': '/forged',
});

/** Seconds by which clocks may differ without harm. */
const leeway = 30;

export const clock: Check = {
  name: 'clock',
  needs: ['genkan'],
  async run(site) {
    const { date } = (await fetchRequestEcho(site)).answer.headers;
    const skew = Math.round((Date.parse(date ?? '') - Date.now()) / 1000);
    if (Number.isNaN(skew)) return [skipped('answers have no Date')];
    const text = `the site's clock is ${Math.abs(skew)} s ${skew < 0 ? 'behind' : 'ahead of'} the one here`;
    return [Math.abs(skew) > leeway ? found('clock-skew', text) : ok(text)];
  },
};
