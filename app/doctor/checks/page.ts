/** The page and the files it references: path, availability, content types and caching. */
import { type Check, type Finding, found, orOk } from '../finding.ts';
import { ask, codeOf, type Site, type SiteResponse } from '../target.ts';
import { fetchRequestEcho } from './app-identity.ts';

/** A name like that of a file from an older build. */
export const missingFile = 'js/doctor-00000000.js';

/** Seconds: the longest that a page may be cached, and the shortest that a file with a hash in its name must be cached. */
const [pageAge, fileAge] = [60, 86_400];

export const page: Check = {
  name: 'page',
  needs: ['genkan'],
  async run(site) {
    const html = await ask(site, '');
    const type = html.headers['content-type'] ?? 'nothing';
    if (html.status !== 200 || !type.startsWith('text/html'))
      return [found('page-missing', `${html.url.pathname} returned ${html.status}, ${type}`)];
    const base = /<base href="([^"]*)"/.exec(html.body)?.[1] ?? '';
    const wanted = site.url.pathname;
    if (new URL(base, site.url).pathname !== wanted)
      return [found('prefix-lost', `the page is at ${wanted}, but its base is ${base}`)];
    const ownFiles = referencedUrls(html.body, new URL(base, site.url)).filter(
      ({ origin }) => origin === site.url.origin,
    );
    const files = await Promise.all(ownFiles.map((url) => ask(site, url)));
    return orOk(
      [...mixedContent(site, html), ...pageCaching(html), ...files.flatMap(checkFile)],
      `the page and the ${files.length} files that it references are there`,
    );
  },
};

const referencedUrls = (html: string, base: URL): URL[] =>
  [...html.matchAll(/<(?:script|link)\s[^>]*(?:src|href)="([^"]+)"/g)].map(([, name = '']) => new URL(name, base));

const mixedContent = ({ url }: Site, { body }: SiteResponse): Finding[] => {
  const named = /(?:src|href|action)="(http:[^"]*)"/.exec(body)?.[1];
  return url.protocol === 'https:' && named !== undefined
    ? [found('mixed-content', `the page references ${named}`)]
    : [];
};

const pageCaching = ({ headers, url }: SiteResponse): Finding[] =>
  ageOf(headers['cache-control']) > pageAge
    ? [found('page-cached', `${url.pathname} may be cached: ${headers['cache-control']}`)]
    : [];

const types: Record<string, RegExp> = { js: /^(?:text|application)\/javascript\b/, css: /^text\/css\b/ };

const checkFile = ({ status, url, headers }: SiteResponse): Finding[] => {
  const { 'content-type': type = 'nothing', 'cache-control': cacheControl } = headers;
  if (status !== 200) return [found('script-missing', `${url.pathname} returned ${status}`)];
  const wanted = types[url.pathname.split('.').at(-1) ?? ''];
  if (wanted && !wanted.test(type)) return [found('script-type', `${url.pathname} is sent as ${type}`)];
  const isCached = ageOf(cacheControl) >= fileAge;
  return isCached
    ? []
    : [found('script-not-cached', `${url.pathname} is requested every time: ${cacheControl ?? 'no Cache-Control'}`)];
};

/** Seconds for which a response may be used without revalidation. */
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
        ...fallenThrough(missing),
        ...(seen && seen.by !== 'http' && codeOf(missing) === 'not-found'
          ? [found('static-by-app', `the request for ${missing.url.pathname} reaches the app`)]
          : []),
        ...(ageOf(missing.headers['cache-control']) > pageAge
          ? [found('missing-cached', `a missing file may be cached: ${missing.headers['cache-control']}`)]
          : []),
        ...(/\bno-store\b/.test(answer.headers['cache-control'] ?? '')
          ? []
          : [found('api-cached', `${answer.url.pathname}: ${answer.headers['cache-control'] ?? 'no Cache-Control'}`)]),
      ],
      'a missing file returns 404, and nothing that changes is cached',
    );
  },
};

const fallenThrough = ({ status, headers, url }: SiteResponse): Finding[] =>
  status === 404
    ? []
    : [
        found(
          'static-falls-through',
          `${url.pathname}, which does not exist, returned ${status}, ${headers['content-type']}`,
        ),
      ];
