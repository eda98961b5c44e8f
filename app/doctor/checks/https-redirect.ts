/** Whether http: redirects to https:, and whether HSTS is set. */
import { type Check, found, ok, skipped } from '../finding.ts';
import { ask } from '../target.ts';

export const httpsRedirect: Check = {
  name: 'redirect',
  needs: ['certificate'],
  async run(site) {
    const { url, plain: from } = site;
    if (url.protocol !== 'https:') return [skipped('the address begins with http:')];
    if (!from) return [skipped('not on port 443, so its http: address is unknown')];
    const { 'strict-transport-security': hsts } = (await ask(site, '')).headers;
    const hstsFinding = ok(hsts === undefined ? 'no HSTS, which is opt-in (genkan nginx --hsts)' : `HSTS: ${hsts}`);
    const answer = await ask(site, from).catch(() => undefined);
    if (!answer) return [ok('nothing answers over http:'), hstsFinding];
    const { status, headers } = answer;
    const to = URL.canParse(headers.location ?? '') ? new URL(headers.location ?? '') : undefined;
    const isRedirect =
      status >= 301 &&
      status <= 308 &&
      to?.protocol === 'https:' &&
      to.hostname + to.pathname === url.hostname + url.pathname;
    const outcome = `${from.href} returned ${status}${headers.location ? `, redirecting to ${headers.location}` : ''}`;
    return [isRedirect ? ok(outcome) : found('no-redirect', outcome), hstsFinding];
  },
};
