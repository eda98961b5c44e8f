/** The page and what it names: below the right path, all of it there, of the right type, kept for as long as is right. */
import { type Check, type Finding, found, orOk } from '../finding.ts';
import { type Answer, ask, codeOf, type Site } from '../target.ts';
import { fetchRequestEcho } from './app-identity.ts';

/** As one of an older build would be called. */
export const missingFile = 'js/doctor-00000000.js';

/** Seconds that a page may be kept without being asked for again, and that a file whose name changes with it is to be kept. */
const [pageAge, fileAge] = [60, 86_400];

export const page: Check = {
  name: 'page',
  needs: ['genkan'],
  async run(site) {
    const html = await ask(site, '');
    const type = html.headers['content-type'] ?? 'nothing';
    if (html.status !== 200 || !type.startsWith('text/html'))
      return [found('page-missing', `${html.url.pathname} is answered ${html.status}, ${type}`)];
    const base = /<base href="([^"]*)"/.exec(html.body)?.[1] ?? '';
    const wanted = site.url.pathname;
    if (new URL(base, site.url).pathname !== wanted)
      return [found('prefix-lost', `the page lies at ${wanted} and says that it lies at ${base}`)];
    const own = namedIn(html.body, new URL(base, site.url)).filter(({ origin }) => origin === site.url.origin);
    const files = await Promise.all(own.map((url) => ask(site, url)));
    return orOk(
      [...mixed(site, html), ...cached(html), ...files.flatMap(judge)],
      `the page and the ${files.length} files that it names are there`,
    );
  },
};

const namedIn = (html: string, base: URL): URL[] =>
  [...html.matchAll(/<(?:script|link)\s[^>]*(?:src|href)="([^"]+)"/g)].map(([, name = '']) => new URL(name, base));

const mixed = ({ url }: Site, { body }: Answer): Finding[] => {
  const named = /(?:src|href|action)="(http:[^"]*)"/.exec(body)?.[1];
  return url.protocol === 'https:' && named !== undefined ? [found('mixed-content', `the page names ${named}`)] : [];
};

const cached = ({ headers, url }: Answer): Finding[] =>
  ageOf(headers['cache-control']) > pageAge
    ? [found('page-cached', `${url.pathname} may be kept: ${headers['cache-control']}`)]
    : [];

const types: Record<string, RegExp> = { js: /^(?:text|application)\/javascript\b/, css: /^text\/css\b/ };

const judge = ({ status, url, headers }: Answer): Finding[] => {
  const { 'content-type': type = 'nothing', 'cache-control': kept } = headers;
  if (status !== 200) return [found('script-missing', `${url.pathname} is answered ${status}`)];
  const wanted = types[url.pathname.split('.').at(-1) ?? ''];
  if (wanted && !wanted.test(type)) return [found('script-type', `${url.pathname} is sent as ${type}`)];
  const isKept = ageOf(kept) >= fileAge;
  return isKept
    ? []
    : [found('script-not-cached', `${url.pathname} is asked for each time: ${kept ?? 'nothing said'}`)];
};

/** Seconds for which an answer is taken as it is. */
const ageOf = (control: string | undefined): number =>
  /\bno-(?:cache|store)\b/.test(control ?? '') ? 0 : Number(/\bmax-age=(\d+)/.exec(control ?? '')?.[1] ?? 0);

export const files: Check = {
  name: 'files',
  needs: ['genkan'],
  async run(site) {
    const missing = await ask(site, missingFile);
    const { seen, answer } = await fetchRequestEcho(site);
    return orOk(
      [
        ...fallen(missing),
        ...(seen && seen.by !== 'http' && codeOf(missing) === 'not-found'
          ? [found('static-by-app', `the app itself is asked for ${missing.url.pathname}`)]
          : []),
        ...(ageOf(missing.headers['cache-control']) > pageAge
          ? [found('missing-cached', `a missing file may be kept: ${missing.headers['cache-control']}`)]
          : []),
        ...(/\bno-store\b/.test(answer.headers['cache-control'] ?? '')
          ? []
          : [found('api-cached', `${answer.url.pathname}: ${answer.headers['cache-control'] ?? 'no Cache-Control'}`)]),
      ],
      'a missing file is a plain 404, and nothing is kept that changes',
    );
  },
};

const fallen = ({ status, headers, url }: Answer): Finding[] =>
  status === 404
    ? []
    : [
        found(
          'static-falls-through',
          `${url.pathname}, which is not there, is answered ${status}, ${headers['content-type']}`,
        ),
      ];
