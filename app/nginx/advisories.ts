/** Known nginx vulnerabilities that the generated files could expose. */
import type { SiteSpec } from './site-spec.ts';
import { floor, isAtLeast, showVersion, type Version } from './version.ts';

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

/** When the list was last compared with https://nginx.org/en/security_advisories.html. Printed with it, because it ages. */
export const listDate = 'October 2026';

/** Only the advisories that the generated files can expose. */
const advisories: Advisory[] = [
  {
    cve: 'CVE-2026-42946',
    about: 'a forged response of the app makes uwsgi_pass read beyond a buffer',
    fixed: [
      [1, 30, 1],
      [1, 31, 0],
    ],
    applies: ({ protocol }) => protocol === 'uwsgi',
  },
  {
    cve: 'CVE-2026-40460',
    about: 'an HTTP/3 client can spoof its address',
    fixed: [
      [1, 30, 1],
      [1, 31, 0],
    ],
    applies: ({ http3 }) => http3,
  },
  {
    cve: 'CVE-2026-42530',
    about: 'HTTP/3 uses memory after it was freed',
    since: [1, 31, 0],
    fixed: [
      [1, 30, 1],
      [1, 31, 2],
    ],
    applies: ({ http3 }) => http3,
  },
  {
    cve: 'CVE-2026-42533',
    about: 'a map with regular expressions can write beyond a buffer',
    fixed: [
      [1, 30, 4],
      [1, 31, 3],
    ],
    applies: () => true,
  },
  {
    cve: 'CVE-2026-93479',
    about: 'a string with variables can write beyond a buffer',
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

/** Newest fix of each branch: from these versions on, nothing in the list applies. */
const newest = (branch: 0 | 1): string => {
  const [first = floor, ...others] = advisories.map(({ fixed }) => fixed[branch]);
  return showVersion(others.reduce((newer, one) => (isAtLeast(one, newer) ? one : newer), first));
};
/** What to do about an advisory. */
export const remedy = `Use nginx ${newest(0)} or later (mainline: ${newest(1)}), or check that your distribution has patched its own version.`;

/** The advisories that apply to this version and the date of the list, on one line; undefined if none applies. */
export const knownVulnerabilities = (spec: AdvisoryInput): string | undefined => {
  const found = advisories.filter((advisory) => advisory.applies(spec) && isAffected(spec.version, advisory));
  if (found.length === 0) return undefined;
  return `known vulnerabilities (list of ${listDate}): ${found.map(({ cve, about }) => `${cve} (${about})`).join(', ')}`;
};

/** A warning in one sentence; undefined if no advisory applies. */
export const advise = (spec: AdvisoryInput): string | undefined => {
  const list = knownVulnerabilities(spec);
  return list && `nginx ${showVersion(spec.version)}, by its version number, has ${list}. ${remedy}`;
};

const isAffected = (version: Version, { fixed: [stable, mainline], since }: Advisory): boolean => {
  if (since && !isAtLeast(version, since)) return false;
  const isStable = version[0] === stable[0] && version[1] === stable[1];
  return !isAtLeast(version, isStable ? stable : mainline);
};
