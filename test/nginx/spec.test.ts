/**
 * The signaling cases that a proxy can break, through every version of nginx × {uwsgi, http} × {TCP, unix}, each in another mode, by
 * WebSocket and by polls or event streams in turn; with `npm run test:all`, every case in every mode by every transport.
 */
import { readFileSync } from 'node:fs';
import { getCACertificates, setDefaultCACertificates } from 'node:tls';
import { afterAll, beforeAll, describe } from 'vitest';
import { eventStream, plainHttp, webSocket } from '../../app/conform/transports.ts';
import { nginxes } from '../setup/nginxes.ts';
import { isThorough } from '../setup/without.ts';
import { describeAncestors } from '../signaling/ancestors.ts';
import { type Site, startSite } from '../signaling/site.ts';
import { describeSignaling, specSettings, wireLevel } from '../signaling/spec.ts';
import { cases, certificate, frontOf, ways } from './modes.ts';
import { type Nginx, startNginx } from './nginx.ts';

/** The address for peers; with the server name for TLS. */
const name = 'localhost';
const files = certificate(name);
const trusted = getCACertificates('default');
const modes = cases(files, name);

let site: Site;
beforeAll(async () => {
  setDefaultCACertificates([...trusted, readFileSync(files.chain, 'utf8')]);
  site = await startSite(specSettings);
});
afterAll(async () => {
  setDefaultCACertificates(trusted);
  await site.stop();
  files.remove();
});

const pairs = nginxes.flatMap((by, row) =>
  ways.map((way, column) => ({ by, ...way, second: (row + column) % 2 ? eventStream : plainHttp })),
);
// 3 and the number of modes have no common divisor: every mode is used, and no version gets only adjacent ones.
const chosen = pairs.flatMap((pair, index) =>
  modes.filter((_, nth) => isThorough || nth === (3 * index) % modes.length).map((mode) => ({ ...pair, mode })),
);
// Each version and each listener once: what else nginx does with them is in modes.test.ts.
const tested = isThorough ? chosen : chosen.filter((_, index) => index % (ways.length + 1) === 0);

for (const { by, kind, over, address, mode, second } of tested)
  describe.skipIf(by.version === undefined)(`${by.name}, by ${kind} over ${over}, ${mode.name}`, () => {
    let nginx: Nginx;
    beforeAll(async () => {
      nginx = await startNginx({ ...frontOf(mode), by, app: { kind, address: site.addresses[address] } });
    });
    afterAll(() => nginx.stop());
    const url = () => `${mode.scheme}://${name}:${nginx.port}${mode.base.slice(0, -1)}`;
    if (isThorough)
      for (const transport of [webSocket, plainHttp, eventStream]) describeSignaling('there', url, transport);
    else for (const transport of [webSocket, second]) describeSignaling('there', url, transport, wireLevel);
    describeAncestors('there', url);
  });
