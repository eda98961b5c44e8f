/** Known nginx vulnerabilities that the generated files could expose. */
import type { SiteSpec } from './site-spec.ts';
import { isAtLeast, showVersion, type Version } from './version.ts';

/** The part of the spec that decides which advisories apply. */
type AdvisoryInput = Pick<SiteSpec, 'version' | 'protocol' | 'http3'>;

type Advisory = {
  cve: string;
  about: string;
  /** First fixed version of the stable and of the mainline branch. */
  fixed: [stable: Version, mainline: Version];
  /** First affected version; if absent, all older versions are affected. */
  since?: Version;
  applies(spec: AdvisoryInput): boolean;
};

/** From https://nginx.org/en/security_advisories.html as of October 2026; only those that the generated files can expose. */
const advisories: Advisory[] = [
  {
    cve: 'CVE-2026-42946',
    about: 'uwsgi_pass reads beyond a buffer when an answer of the app is forged on its way',
    fixed: [
      [1, 30, 1],
      [1, 31, 0],
    ],
    applies: ({ protocol }) => protocol === 'uwsgi',
  },
  {
    cve: 'CVE-2026-40460',
    about: 'an HTTP/3 client can claim another address',
    fixed: [
      [1, 30, 1],
      [1, 31, 0],
    ],
    applies: ({ http3 }) => http3,
  },
  {
    cve: 'CVE-2026-42530',
    about: 'memory is used after it was freed in HTTP/3',
    since: [1, 31, 0],
    fixed: [
      [1, 30, 1],
      [1, 31, 2],
    ],
    applies: ({ http3 }) => http3,
  },
  {
    cve: 'CVE-2026-42533',
    about: 'a map with regular expressions may write beyond a buffer',
    fixed: [
      [1, 30, 4],
      [1, 31, 3],
    ],
    applies: () => true,
  },
  {
    cve: 'CVE-2026-93479',
    about: 'text with variables may write beyond a buffer',
    fixed: [
      [1, 30, 6],
      [1, 31, 7],
    ],
    applies: () => true,
  },
  {
    cve: 'CVE-2026-95101',
    about: 'the body of an HTTP/3 request can be forged',
    fixed: [
      [1, 30, 6],
      [1, 31, 7],
    ],
    applies: ({ http3 }) => http3,
  },
];

/** The advisories that apply to this version, on one line; undefined if none. */
export const knownFaults = (spec: AdvisoryInput): string | undefined => {
  const found = advisories.filter((advisory) => advisory.applies(spec) && isAffected(spec.version, advisory));
  return found.map(({ cve, about }) => `${cve} (${about})`).join(', ') || undefined;
};

/** A warning in one sentence; undefined if no advisory applies. */
export const advise = (spec: AdvisoryInput): string | undefined => {
  const list = knownFaults(spec);
  return (
    list &&
    `nginx ${showVersion(spec.version)} has by its number known faults that these files may touch: ${list}; distributions mend them without a new number: see that yours has, or use 1.30.6 or later`
  );
};

const isAffected = (version: Version, { fixed: [stable, mainline], since }: Advisory): boolean => {
  if (since && !isAtLeast(version, since)) return false;
  const isStable = version[0] === stable[0] && version[1] === stable[1];
  return !isAtLeast(version, isStable ? stable : mainline);
};
