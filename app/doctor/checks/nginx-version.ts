/** Which nginx it is, if it tells: whether these files are for it, and what is wrong with it by its number. */
import { knownFaults } from '../../nginx/advisories.ts';
import { floor, isAtLeast, parseVersion, showVersion } from '../../nginx/version.ts';
import { type Check, found, ok, orOk } from '../finding.ts';
import { fetchRequestEcho } from './app-identity.ts';

export const version: Check = {
  name: 'version',
  needs: ['genkan'],
  async run(site) {
    const { seen, answer } = await fetchRequestEcho(site);
    const { server, 'alt-svc': services } = answer.headers;
    const told = parseVersion(/^nginx\/([\d.]+)/.exec(String(server))?.[1] ?? '');
    if (!told) return [ok(`answers tell no version of nginx${server === undefined ? '' : `, only "${server}"`}`)];
    const text = `nginx ${showVersion(told)}`;
    const situation = {
      version: told,
      protocol: seen?.by === 'socket' ? 'uwsgi' : 'http',
      http3: /\bh3=/.test(String(services)),
    } as const;
    const faults = knownFaults(situation);
    return orOk(
      [
        ...(isAtLeast(told, floor) ? [] : [found('nginx-old', `${text}: ${showVersion(floor)} or later is needed`)]),
        ...(faults === undefined ? [] : [found('nginx-faulty', `${text} has by its number ${faults}`)]),
      ],
      text,
    );
  },
};
