/** Known faults of nginx itself that these files could bring out. */
import type { SiteSpec } from './site-spec.ts';
import { isAtLeast, showVersion, type Version } from './version.ts';

/** What they depend on. */
type Exposed = Pick<SiteSpec, 'version' | 'protocol' | 'http3'>;

type Advisory = {
  cve: string;
  about: string;
  /** The first versions without it, of the stable line and of the main one. */
  fixed: [stable: Version, mainline: Version];
  /** The first version with it; all that are older have it when absent. */
  since?: Version;
  concerns(situation: Exposed): boolean;
};

/** By https://nginx.org/en/security_advisories.html as of October 2026; those that no file of ours can bring out are left out. */
const advisories: Advisory[] = [
  {
    cve: 'CVE-2026-42946',
    about: 'uwsgi_pass reads beyond a buffer when an answer of the app is forged on its way',
    fixed: [
      [1, 30, 1],
      [1, 31, 0],
    ],
    concerns: ({ protocol }) => protocol === 'uwsgi',
  },
  {
    cve: 'CVE-2026-40460',
    about: 'an HTTP/3 client can claim another address',
    fixed: [
      [1, 30, 1],
      [1, 31, 0],
    ],
    concerns: ({ http3 }) => http3,
  },
  {
    cve: 'CVE-2026-42530',
    about: 'memory is used after it was freed in HTTP/3',
    since: [1, 31, 0],
    fixed: [
      [1, 30, 1],
      [1, 31, 2],
    ],
    concerns: ({ http3 }) => http3,
  },
  {
    cve: 'CVE-2026-42533',
    about: 'a map with regular expressions may write beyond a buffer',
    fixed: [
      [1, 30, 4],
      [1, 31, 3],
    ],
    concerns: () => true,
  },
  {
    cve: 'CVE-2026-93479',
    about: 'text with variables may write beyond a buffer',
    fixed: [
      [1, 30, 6],
      [1, 31, 7],
    ],
    concerns: () => true,
  },
  {
    cve: 'CVE-2026-95101',
    about: 'the body of an HTTP/3 request can be forged',
    fixed: [
      [1, 30, 6],
      [1, 31, 7],
    ],
    concerns: ({ http3 }) => http3,
  },
];

/** Those of this version, in a line; undefined when there is none. */
export const knownFaults = (situation: Exposed): string | undefined => {
  const found = advisories.filter((advisory) => advisory.concerns(situation) && has(situation.version, advisory));
  return found.map(({ cve, about }) => `${cve} (${about})`).join(', ') || undefined;
};

/** One sentence, or undefined when the version has none of them. */
export const advise = (situation: Exposed): string | undefined => {
  const list = knownFaults(situation);
  return (
    list &&
    `nginx ${showVersion(situation.version)} has by its number known faults that these files may touch: ${list}; distributions mend them without a new number: see that yours has, or use 1.30.6 or later`
  );
};

const has = (version: Version, { fixed: [stable, mainline], since }: Advisory): boolean => {
  if (since && !isAtLeast(version, since)) return false;
  const isStable = version[0] === stable[0] && version[1] === stable[1];
  return !isAtLeast(version, isStable ? stable : mainline);
};
