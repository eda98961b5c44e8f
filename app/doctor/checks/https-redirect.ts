/** Whether who comes by http: is sent over to https:, and told to come so by itself next time. */
import { type Check, found, ok, skipped } from '../finding.ts';
import { ask } from '../target.ts';

export const httpsRedirect: Check = {
  name: 'redirect',
  needs: ['certificate'],
  async run(site) {
    const { url, plain: from } = site;
    if (url.protocol !== 'https:') return [skipped('the address begins with http:')];
    if (!from) return [skipped('of a site on another port than 443 nobody knows where http: would be')];
    const { 'strict-transport-security': hsts } = (await ask(site, '')).headers;
    const told = ok(hsts === undefined ? 'no HSTS, which is opt-in (genkan nginx --hsts)' : `HSTS: ${hsts}`);
    const answer = await ask(site, from).catch(() => undefined);
    if (!answer) return [ok('nothing answers by http:'), told];
    const { status, headers } = answer;
    const to = URL.canParse(headers.location ?? '') ? new URL(headers.location ?? '') : undefined;
    const isOver =
      status >= 301 &&
      status <= 308 &&
      to?.protocol === 'https:' &&
      to.hostname + to.pathname === url.hostname + url.pathname;
    const seen = `${from.href} is answered ${status}${headers.location ? ` to ${headers.location}` : ''}`;
    return [isOver ? ok(seen) : found('no-redirect', seen), told];
  },
};
