/** Whether browsers trust the certificate, for how long still, and whether the site speaks TLS as of today. */
import { type ConnectionOptions, checkServerIdentity, connect, type PeerCertificate, type TLSSocket } from 'node:tls';
import type { FaultName } from '../faults.ts';
import { type Check, type Finding, found, ok } from '../finding.ts';
import { isLocal, placeOf, reasonOf, type Site } from '../target.ts';

/** Days before its end at which a certificate that renews itself has long been renewed. */
const soon = 14;
const day = 86_400_000;

export const certificate: Check = {
  name: 'certificate',
  needs: ['address'],
  async run(site) {
    const { hostname, protocol } = site.url;
    if (protocol === 'http:') return isLocal(hostname) ? [ok('http, on this machine')] : withoutTls(site);
    const met = await meet(site);
    if ('why' in met) return [found('tls-broken', met.why)];
    const wrong = [...trust(met, placeOf(site.url).host), ...life(met.certificate)];
    const kept = wrong.some(({ level }) => level === 'fault') && site.token !== undefined;
    const old = await meet(site, { minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' });
    return [
      ...wrong,
      ...(kept ? [notToThem] : []),
      ...('version' in old ? [found('tls-old', `${old.version} is accepted as well`)] : []),
      ...(wrong.length === 0 ? [ok(describe(met))] : []),
    ];
  },
};

const withoutTls = ({ token }: Site): Finding[] => [
  found('no-tls', 'the address begins with http:'),
  ...(token === undefined ? [] : [notToThem]),
];

const notToThem = found('token-kept', 'the token is not sent where anybody may read it');

/** `why` it is not trusted, as OpenSSL calls it; undefined = it is. */
type Met = { certificate: PeerCertificate; version: string; distrust: string | undefined };

const meet = (
  { url, ca, timeout }: Site,
  versions: Pick<ConnectionOptions, 'minVersion' | 'maxVersion' | 'ciphers'> = {},
): Promise<Met | { why: string }> =>
  new Promise((resolve) => {
    const place = placeOf(url);
    const servername = /^[\d.]+$|:/.test(place.host) ? '' : place.host;
    const socket: TLSSocket = connect({
      ...place,
      servername,
      timeout,
      rejectUnauthorized: false,
      ...(ca === undefined ? {} : { ca }),
      ...versions,
    });
    const end = (result: Met | { why: string }) => {
      socket.destroy();
      resolve(result);
    };
    socket.once('secureConnect', () =>
      end({
        certificate: socket.getPeerCertificate(),
        version: socket.getProtocol() ?? 'unknown',
        distrust: socket.authorized ? undefined : String(socket.authorizationError),
      }),
    );
    socket.once('timeout', () => end({ why: `no TLS handshake in ${timeout} ms` }));
    socket.once('error', (error) => end({ why: explain(error) }));
  });

const explain = (error: NodeJS.ErrnoException): string => {
  const reason = reasonOf(error);
  if (/wrong version number|packet length too long/i.test(reason)) return 'the port speaks something else than TLS';
  if (/unrecognized name/i.test(reason)) return 'the server has no certificate for this name';
  return /protocol version/i.test(reason) ? 'the server speaks no TLS 1.2 or later' : `no TLS handshake: ${reason}`;
};

const distrusted: Record<string, FaultName> = {
  DEPTH_ZERO_SELF_SIGNED_CERT: 'certificate-self-signed',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: 'certificate-chain',
};
/** Found out by looking at the certificate itself, since OpenSSL names only the first thing that is wrong. */
const seenOtherwise = new Set(['CERT_HAS_EXPIRED', 'CERT_NOT_YET_VALID', 'ERR_TLS_CERT_ALTNAME_INVALID']);

const trust = ({ certificate, distrust }: Met, host: string): Finding[] => {
  const mismatch = checkServerIdentity(host, certificate);
  return [
    ...(distrust === undefined || seenOtherwise.has(distrust)
      ? []
      : [found(distrusted[distrust] ?? 'certificate-untrusted', `made by ${issuerOf(certificate)}: ${distrust}`)]),
    ...(mismatch ? [found('certificate-name', `it is for ${certificate.subjectaltname ?? 'no name'}`)] : []),
  ];
};

const life = ({ valid_from: from, valid_to: to }: PeerCertificate): Finding[] => {
  const left = Date.parse(to) - Date.now();
  if (left < 0) return [found('certificate-expired', `it ended on ${to}`)];
  if (Date.parse(from) > Date.now()) return [found('certificate-not-yet-valid', `it begins on ${from}`)];
  return left < soon * day ? [found('certificate-ends-soon', `in ${Math.floor(left / day)} days, on ${to}`)] : [];
};

const describe = ({ certificate, version }: Met): string => {
  const left = Math.floor((Date.parse(certificate.valid_to) - Date.now()) / day);
  return `${version}; the certificate by ${issuerOf(certificate)} is good for ${left} days`;
};

const issuerOf = ({ issuer }: PeerCertificate): string => [issuer.O ?? issuer.CN ?? 'nobody'].flat().join(', ');
