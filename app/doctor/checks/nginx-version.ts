/** The nginx version, if responses show it: whether it is supported, and its known vulnerabilities. */
import { knownVulnerabilities, listDate } from '../../nginx/advisories.ts';
import { floor, isAtLeast, parseVersion, showVersion } from '../../nginx/version.ts';
import { type Check, found, ok, orOk } from '../finding.ts';
import { fetchRequestEcho } from './app-identity.ts';

export const version: Check = {
  name: 'version',
  needs: ['genkan'],
  async run(site) {
    const { seen, answer } = await fetchRequestEcho(site);
    const { server, 'alt-svc': services } = answer.headers;
    const nginx = parseVersion(/^nginx\/([\d.]+)/.exec(String(server))?.[1] ?? '');
    if (!nginx) return [ok(`responses show no version of nginx${server === undefined ? '' : `, only "${server}"`}`)];
    const text = `nginx ${showVersion(nginx)}`;
    const input = {
      version: nginx,
      protocol: seen?.by === 'socket' ? 'uwsgi' : 'http',
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
  },
};
