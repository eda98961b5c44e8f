/** The signaling cases over one store that two workers share: each new peer connects to the other worker. */
import { afterAll, beforeAll, describe } from 'vitest';
import { eventStream, plainHttp, webSocket } from '../../app/conform/transports.ts';
import { isThorough, without } from '../setup/without.ts';
import { type Server, startServer } from '../store/server.ts';
import { type Site, startSite } from './site.ts';
import { describeSignaling, specSettings } from './spec.ts';

describe.skipIf(without('redis-server'))('over a shared store', () => {
  let server: Server;
  const workers: Site[] = [];
  let turn = 0;
  const next = () => {
    turn += 1;
    return workers[turn % workers.length]?.direct.http ?? '';
  };

  beforeAll(async () => {
    server = await startServer();
    const settings = [...specSettings, '--store', server.url];
    workers.push(await startSite(settings), await startSite(settings));
  });
  afterAll(async () => {
    for (const worker of workers) await worker.stop();
    await server.stop();
  });

  // A stream differs from a poll only in how a worker writes events, which test/signaling/signaling.test.ts tests.
  for (const transport of [webSocket, plainHttp, ...(isThorough ? [eventStream] : [])])
    describeSignaling('with the peers on two workers', next, transport);
});
