/**
 * The signaling cases over {WebSocket, HTTP polls, event streams} × {--http, --http-socket, --socket on TCP and unix}, directly. Through
 * nginx: test/nginx/spec.test.ts.
 */
import { afterAll, beforeAll } from 'vitest';
import { eventStream, plainHttp, webSocket } from '../../app/conform/transports.ts';
import { type Site, startSite } from './site.ts';
import { describeSignaling, specSettings } from './spec.ts';

let site: Site;

beforeAll(async () => {
  site = await startSite(specSettings);
});
afterAll(() => site.stop());

for (const transport of [webSocket, plainHttp, eventStream]) {
  describeSignaling('by --http', () => site.direct.http, transport);
  describeSignaling('by --http-socket', () => site.direct['http-socket'], transport);
  describeSignaling('by --socket on TCP', () => site.direct.socket, transport);
  describeSignaling('by --socket on a unix socket', () => site.direct.unix, transport);
}
