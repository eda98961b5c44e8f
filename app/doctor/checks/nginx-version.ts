/** The nginx version, if responses show it: whether it is supported, and its known vulnerabilities. */
import { knownVulnerabilities, listDate } from '../../nginx/advisories.ts';
import { floor, isAtLeast, parseVersion, showVersion } from '../../nginx/version.ts';
import type { Seen } from '../../protocol/http-answers.ts';
import { type Check, type Finding, found, ok, orOk } from '../finding.ts';
import type { SiteResponse } from '../target.ts';
import { fetchRequestEcho } from './app-identity.ts';

export const version: Check = {
  name: 'version',
  needs: ['genkan'],
  async run(site) {
    const { seen, answer } = await fetchRequestEcho(site);
    return judgeVersion(answer.headers, seen?.by);
  },
};

/** @param headers of a response @param by the listener that nginx passes requests to */
export const judgeVersion = (headers: SiteResponse['headers'], by?: Seen['by']): Finding[] => {
  const { server, 'alt-svc': services } = headers;
  const nginx = parseVersion(/^nginx\/([\d.]+)/.exec(String(server))?.[1] ?? '');
  if (!nginx) return [ok(`responses show no version of nginx${server === undefined ? '' : `, only "${server}"`}`)];
  const text = `nginx ${showVersion(nginx)}`;
  const input = {
    version: nginx,
    protocol: by === 'socket' ? 'uwsgi' : 'http',
    http3: /\bh3=/.test(String(services)),
  } as const;
  const vulnerabilities = knownVulnerabilities(input);
  return orOk(
    [
      ...(isAtLeast(nginx, floor)
        ? []
        : [found('nginx-old', `${text} is not supported; ${showVersion(floor)} or later is required`)]),
      ...(vulnerabilities === undefined
        ? []
        : [found('nginx-faulty', `${text}, by its version number, has ${vulnerabilities}`)]),
    ],
    `${text}: no known vulnerabilities (list of ${listDate})`,
  );
};
