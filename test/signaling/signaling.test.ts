/** The spec over {WebSocket, HTTP} × {--http, --http-socket, --socket on TCP and unix}, straight and through real nginx. */
import { afterAll, beforeAll } from 'vitest';
import { plainHttp, webSocket } from './peers.ts';
import { type Site, startSite } from './site.ts';
import { describeSignaling, specSettings } from './spec.ts';

let site: Site;
beforeAll(async () => {
  site = await startSite(specSettings);
});
afterAll(() => site.stop());

for (const transport of [webSocket, plainHttp]) {
  describeSignaling('by --http', () => site.direct.http, transport);
  describeSignaling('by --http-socket', () => site.direct['http-socket'], transport);
  describeSignaling('by --socket on TCP', () => site.direct.socket, transport);
  describeSignaling('by --socket on a unix socket', () => site.direct.unix, transport);
}
