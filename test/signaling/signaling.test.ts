/**
 * The signaling cases over {WebSocket, HTTP polls, event streams} × {--http, --http-socket, --socket on TCP and unix}, directly: all of
 * them on one listener, and on the others those that a listener can break. Through nginx: test/nginx/spec.test.ts.
 */
import { afterAll, beforeAll } from 'vitest';
import { binaryWebSocket, eventStream, plainHttp, webSocket } from '../../app/conform/transports.ts';
import { isThorough } from '../setup/without.ts';
import { type Site, startSite } from './site.ts';
import { describeSignaling, specSettings, wireLevel } from './spec.ts';

let site: Site;

beforeAll(async () => {
  site = await startSite(specSettings);
});
afterAll(() => site.stop());

const others = isThorough ? undefined : wireLevel;
describeSignaling('with signals in binary frames', () => site.direct.http, binaryWebSocket, others);
for (const transport of [webSocket, plainHttp, eventStream]) {
  describeSignaling('by --socket on a unix socket', () => site.direct.unix, transport);
  describeSignaling('by --http', () => site.direct.http, transport, others);
  // What is left for these two is how they pass on a connection.
  if (!isThorough && transport === plainHttp) continue;
  describeSignaling('by --http-socket', () => site.direct['http-socket'], transport, others);
  describeSignaling('by --socket on TCP', () => site.direct.socket, transport, others);
}
