/** Which files a site needs. */
import { app } from './app.ts';
import { down } from './error-pages.ts';
import { headers } from './headers.ts';
import { limits } from './limits.ts';
import { log } from './log.ts';
import { main } from './main.ts';
import { maintenance } from './maintenance.ts';
import { maps } from './maps.ts';
import { hidden } from './private.ts';
import { realIp } from './real-ip.ts';
import { inside, site } from './site.ts';
import { type Files, isAlone, type SiteSpec } from './site-spec.ts';
import { fromDisk } from './static.ts';
import { tls } from './tls.ts';
import { params } from './uwsgi-params.ts';
import { workers } from './workers.ts';

/** Every file with its generator and the condition under which it is needed. */
const allFiles: [path: string, write: (spec: SiteSpec) => string, isNeeded: (spec: SiteSpec) => boolean][] = [
  ['nginx.conf', main, isAlone],
  ['conf.d/genkan.conf', site, ({ mode }) => mode !== 'location'],
  // Sorts before the existing site's file: a log format must be defined before it is used.
  ['conf.d/00-genkan.conf', site, ({ mode }) => mode === 'location'],
  ['snippets/genkan-app.conf', app, () => true],
  ['snippets/genkan-down.conf', down, () => true],
  ['snippets/genkan-headers.conf', headers, () => true],
  ['snippets/genkan-limits.conf', limits, () => true],
  ['snippets/genkan-log.conf', log, () => true],
  ['snippets/genkan-maintenance.conf', maintenance, () => true],
  ['snippets/genkan-maps.conf', maps, () => true],
  ['snippets/genkan-private.conf', hidden, () => true],
  ['snippets/genkan-real-ip.conf', realIp, ({ trustedProxies }) => trustedProxies.length > 0],
  ['snippets/genkan-site.conf', inside, ({ mode }) => mode === 'location'],
  ['snippets/genkan-static.conf', fromDisk, () => true],
  ['snippets/genkan-tls.conf', tls, ({ certificate }) => certificate !== undefined],
  ['snippets/genkan-uwsgi-params.conf', params, ({ protocol }) => protocol === 'uwsgi'],
  ['snippets/genkan-workers.conf', workers, () => true],
];

export const filesFor = (spec: SiteSpec): Files =>
  new Map(
    allFiles.flatMap(([path, write, isNeeded]) => (isNeeded(spec) ? [[path, `${write(spec).trimEnd()}\n`]] : [])),
  );
