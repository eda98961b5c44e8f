/** Whether browsers trust the certificate, how long it remains valid, and whether the site accepts outdated TLS versions. */
import { type ConnectionOptions, checkServerIdentity, connect, type PeerCertificate, type TLSSocket } from 'node:tls';
import type { FaultName } from '../faults.ts';
import { type Check, type Finding, found, ok } from '../finding.ts';
import { isLocal, placeOf, reasonOf, type Site } from '../target.ts';

/** With fewer days left, automatic renewal has evidently failed. */
const expiryWarningDays = 14;
const day = 86_400_000;

export const certificate: Check = {
  name: 'certificate',
  needs: ['address'],
  async run(site) {
    const { hostname, protocol } = site.url;
    if (protocol === 'http:') return isLocal(hostname) ? [ok('http, on this machine')] : withoutTls(site);
    const result = await handshake(site);
    if ('why' in result) return [found('tls-broken', result.why)];
    const problems = [...trust(result, placeOf(site.url).host), ...validity(result.certificate)];
    const isTokenKept = problems.some(({ level }) => level === 'fault') && site.token !== undefined;
    const outdated = await handshake(site, {
      minVersion: 'TLSv1',
      maxVersion: 'TLSv1.1',
      ciphers: 'DEFAULT@SECLEVEL=0',
    });
    return [
      ...problems,
      ...(isTokenKept ? [tokenKept] : []),
      ...('version' in outdated ? [found('tls-old', `${outdated.version} is accepted as well`)] : []),
      ...(problems.length === 0 ? [ok(describe(result))] : []),
    ];
  },
};

const withoutTls = ({ token }: Site): Finding[] => [
  found('no-tls', 'the address begins with http:'),
  ...(token === undefined ? [] : [tokenKept]),
];

const tokenKept = found('token-kept', 'the token is not sent over an untrusted connection');

/** `distrust`: OpenSSL's reason for not trusting the certificate; undefined: trusted. */
type Connected = { certificate: PeerCertificate; version: string; distrust: string | undefined };

const handshake = (
  { url, ca, timeout }: Site,
  versions: Pick<ConnectionOptions, 'minVersion' | 'maxVersion' | 'ciphers'> = {},
): Promise<Connected | { why: string }> =>
  new Promise((resolve) => {
    const target = placeOf(url);
    const servername = /^[\d.]+$|:/.test(target.host) ? '' : target.host;
    const socket: TLSSocket = connect({
      ...target,
      servername,
      timeout,
      rejectUnauthorized: false,
      ...(ca === undefined ? {} : { ca }),
      ...versions,
    });
    const finish = (result: Connected | { why: string }) => {
      socket.destroy();
      resolve(result);
    };
    socket.once('secureConnect', () =>
      finish({
        certificate: socket.getPeerCertificate(),
        version: socket.getProtocol() ?? 'unknown',
        distrust: socket.authorized ? undefined : String(socket.authorizationError),
      }),
    );
    socket.once('timeout', () => finish({ why: `no TLS handshake in ${timeout} ms` }));
    socket.once('error', (error) => finish({ why: explain(error) }));
  });

const explain = (error: NodeJS.ErrnoException): string => {
  const reason = reasonOf(error);
  if (/wrong version number|packet length too long/i.test(reason)) return 'the port does not speak TLS';
  if (/unrecognized name/i.test(reason)) return 'the server has no certificate for this name';
  return /protocol version/i.test(reason)
    ? 'the server does not support TLS 1.2 or later'
    : `no TLS handshake: ${reason}`;
};

const faultByReason: Record<string, FaultName> = {
  DEPTH_ZERO_SELF_SIGNED_CERT: 'certificate-self-signed',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: 'certificate-chain',
};
/** Found in the certificate itself, because OpenSSL reports only the first problem. */
const checkedSeparately = new Set(['CERT_HAS_EXPIRED', 'CERT_NOT_YET_VALID', 'ERR_TLS_CERT_ALTNAME_INVALID']);

const trust = ({ certificate, distrust }: Connected, host: string): Finding[] => {
  const mismatch = checkServerIdentity(host, certificate);
  return [
    ...(distrust === undefined || checkedSeparately.has(distrust)
      ? []
      : [found(faultByReason[distrust] ?? 'certificate-untrusted', `issued by ${issuerOf(certificate)}: ${distrust}`)]),
    ...(mismatch ? [found('certificate-name', `it is valid for ${certificate.subjectaltname ?? 'no name'}`)] : []),
  ];
};

const validity = ({ valid_from: from, valid_to: to }: PeerCertificate): Finding[] => {
  const remaining = Date.parse(to) - Date.now();
  if (remaining < 0) return [found('certificate-expired', `it expired on ${to}`)];
  if (Date.parse(from) > Date.now()) return [found('certificate-not-yet-valid', `it is valid from ${from}`)];
  return remaining < expiryWarningDays * day
    ? [found('certificate-ends-soon', `it expires in ${Math.floor(remaining / day)} days, on ${to}`)]
    : [];
};

const describe = ({ certificate, version }: Connected): string => {
  const remaining = Math.floor((Date.parse(certificate.valid_to) - Date.now()) / day);
  return `${version}; the certificate from ${issuerOf(certificate)} is valid for ${remaining} days`;
};

const issuerOf = ({ issuer }: PeerCertificate): string =>
  [issuer.O ?? issuer.CN ?? 'an unknown issuer'].flat().join(', ');
