/** Security headers on every kind of path, and whether the operator endpoints are public. */

import { operatorPaths } from '../../nginx/private.ts';
import { securityHeaders } from '../../web/security-headers.ts';
import { type Check, type Finding, found, orOk } from '../finding.ts';
import { ask, type SiteResponse } from '../target.ts';
import { fetchRequestEcho } from './app-identity.ts';
import { missingFile } from './page.ts';

export const headers: Check = {
  name: 'headers',
  needs: ['genkan'],
  async run(site) {
    const html = await ask(site, '');
    const script = /src="([^"]+\.js)"/.exec(html.body)?.[1];
    const paths = ['metrics', missingFile, ...(script === undefined ? [] : [script])];
    const others = await Promise.all(paths.map((path) => ask(site, path).catch(() => undefined)));
    const all = [html, (await fetchRequestEcho(site)).answer, ...others.filter((answer) => answer !== undefined)];
    return orOk(
      [...missingHeaders(all), ...duplicateHeaders(all), ...forbiddenFeatures(html)],
      `all ${Object.keys(securityHeaders).length} security headers, each once, on ${all.length} kinds of responses`,
    );
  },
};

const missingHeaders = (answers: SiteResponse[]): Finding[] =>
  Object.keys(securityHeaders).flatMap((name) => {
    const without = answers.filter(({ headers }) => headers[name] === undefined).map(({ url }) => url.pathname);
    return without.length === 0 ? [] : [found('headers-missing', `${name} is missing on ${without.join(', ')}`)];
  });

const duplicateHeaders = (answers: SiteResponse[]): Finding[] =>
  answers.flatMap(({ rawHeaders, url }) => {
    const names = rawHeaders.filter((_, index) => index % 2 === 0).map((name) => name.toLowerCase());
    return Object.keys(securityHeaders)
      .filter((name) => names.indexOf(name) !== names.lastIndexOf(name))
      .map((name) => found('headers-twice', `${name} appears more than once on ${url.pathname}`));
  });

/** A feature that the policy does not name is allowed for the page itself: https://www.w3.org/TR/permissions-policy/ */
const forbiddenFeatures = ({ headers }: SiteResponse): Finding[] => {
  const policy = String(headers['permissions-policy'] ?? '');
  const forbidden = ['camera', 'microphone', 'display-capture'].filter((name) => {
    const allowed = new RegExp(`(?:^|[\\s,])${name}=(\\([^)]*\\)|\\*|self)`).exec(policy)?.[1];
    return allowed !== undefined && !/self|\*/.test(allowed);
  });
  return forbidden.length === 0 ? [] : [found('camera-forbidden', `the page may not use ${forbidden.join(', ')}`)];
};

export const operations: Check = {
  name: 'operations',
  needs: ['genkan'],
  async run(site) {
    const { seen } = await fetchRequestEcho(site);
    // Some front ends close the connection without a response, which hides the endpoint too.
    const responses = await Promise.all(operatorPaths.map((path) => ask(site, path).catch(() => undefined)));
    const answers = responses.filter((answer) => answer !== undefined);
    // Without a front end, health checks must use this listener; /healthz and /readyz reveal nothing.
    const isIntended = ({ url }: SiteResponse) => seen?.by === 'http' && /z$/.test(url.pathname);
    const open = answers.filter((answer) => (answer.status < 400 || answer.status === 503) && !isIntended(answer));
    const paths = open.map(({ url }) => url.pathname);
    return orOk(
      paths.length === 0 ? [] : [found('operations-public', `publicly accessible: ${paths.join(', ')}`)],
      'health, metrics and statistics are not public',
    );
  },
};
