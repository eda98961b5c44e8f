/** The spec over {WebSocket, HTTP polls, event streams} × {--http, --http-socket, --socket on TCP and unix}, straight and through real nginx. */
import { afterAll, beforeAll, describe } from 'vitest';
import { eventStream, plainHttp, webSocket } from '../../app/conform/transports.ts';
import { type Nginx, startNginx } from '../nginx/nginx.ts';
import { without } from '../setup/without.ts';
import { describeAncestors } from './ancestors.ts';
import { type Site, startSite } from './site.ts';
import { describeSignaling, specSettings } from './spec.ts';

let site: Site;
const fronts: Partial<Record<keyof Site['addresses'], Nginx>> = {};
const through = (app: keyof Site['addresses']) => () => fronts[app]?.url ?? '';

beforeAll(async () => {
  site = await startSite(specSettings);
  if (without('nginx')) return;
  fronts['http-socket'] = await startNginx({ app: { kind: 'http', address: site.addresses['http-socket'] } });
  fronts.socket = await startNginx({ app: { kind: 'uwsgi', address: site.addresses.socket } });
  fronts.unix = await startNginx({ app: { kind: 'uwsgi', address: site.addresses.unix } });
});
afterAll(async () => {
  await site.stop();
  for (const front of Object.values(fronts)) await front.stop();
});

for (const transport of [webSocket, plainHttp, eventStream]) {
  describeSignaling('by --http', () => site.direct.http, transport);
  describeSignaling('by --http-socket', () => site.direct['http-socket'], transport);
  describeSignaling('by --socket on TCP', () => site.direct.socket, transport);
  describeSignaling('by --socket on a unix socket', () => site.direct.unix, transport);
}
describe.skipIf(without('nginx'))('through nginx', () => {
  for (const transport of [webSocket, plainHttp, eventStream]) {
    describeSignaling('by proxy_pass', through('http-socket'), transport);
    describeSignaling('by uwsgi_pass on TCP', through('socket'), transport);
    describeSignaling('by uwsgi_pass on a unix socket', through('unix'), transport);
  }
  describeAncestors('by uwsgi_pass on TCP', through('socket'));
  describeAncestors('by uwsgi_pass on a unix socket', through('unix'));
});
