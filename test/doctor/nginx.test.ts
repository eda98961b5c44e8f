/** Every fault of nginx, produced in a real one in front of the real app: the doctor names it, and nothing else. */

import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { clock } from '../../app/doctor/checks/proxy-headers.ts';
import { isAtLeast } from '../../app/nginx/version.ts';
import { startNginx } from '../nginx/nginx.ts';
import { freePort } from '../setup/free-port.ts';
import { nginxes } from '../setup/nginxes.ts';
import { without } from '../setup/without.ts';
import { type Clinic, diagnose, openClinic, patient, publicDir } from './clinic.ts';
import { type Change, type Row, rows, spoiler } from './spoiled-nginx.ts';

const missing = without('nginx');
let clinic: Clinic;
beforeAll(async () => {
  clinic = await openClinic();
});
afterAll(() => clinic.stop());

describe.skipIf(missing)('behind nginx', () => {
  // Most faults are there for both protocols: `npm test` produces them for one of the two, in turn.
  const isOfBoth = ({ what, by }: Row) => rows.some((other) => other.what === what && other.by !== by);
  const nameOf = new Map(
    [...new Set(rows.map(({ what }) => what))].map((what, index) => [what, index % 2 ? 'http' : 'uwsgi']),
  );
  for (const row of rows) {
    const tags = isOfBoth(row) && nameOf.get(row.what) !== row.by ? ['slow'] : [];
    test.concurrent(`${row.by}: ${row.what} → ${row.finds}`, { tags }, async ({ expect: here }) => {
      const { names, text } = await clinic.examineBehind(row);
      here(names, text).toEqual(row.finds);
    });
  }
});

describe.each(nginxes)('$name that reveals its version', (by) => {
  const isFaulty = by.version !== undefined && !isAtLeast(by.version, [1, 30, 6]);
  test.skipIf(by.version === undefined).each(['uwsgi', 'http'] as const)(
    'by %s → nginx-faulty before 1.30.6',
    async (way) => {
      const change: Change[] = [['conf.d/genkan.conf', /server_tokens off;/, '']];
      const { names, text } = await clinic.examineBehind({ by: way, change, more: { by } });
      expect(names, text).toEqual(isFaulty ? ['nginx-faulty'] : []);
      expect(text.includes('CVE-2026-42946')).toBe(isFaulty && way === 'uwsgi');
    },
  );
});

describe.skipIf(missing)('several workers', () => {
  /** Two apps behind one nginx. */
  const two = async (change: Change[]) => {
    const [first, second] = [clinic.site, clinic.other].map(({ addresses }) => addresses['http-unix']);
    const words = ['--upstream', second ?? ''];
    const nginx = await startNginx({
      app: { kind: 'http', address: first ?? '' },
      words,
      publicDir,
      spoil: spoiler(change),
    });
    const found = await diagnose(patient(nginx.url));
    await nginx.stop();
    return found;
  };

  test('each with its own rooms: no fault', async () => {
    const { names, text } = await two([]);
    expect(names, text).toEqual([]);
  });

  test('that share a room in turns → rooms-split', async () => {
    const { names, text } = await two([['snippets/genkan-workers.conf', /hash .*;/, '']]);
    expect(names, text).toEqual(['rooms-split']);
  });
});

test.skipIf(missing)('a site in maintenance → site-closed', async () => {
  const words = ['--maintenance-file', join(publicDir, 'js/genkan.js')];
  const nginx = await startNginx({ app: { kind: 'uwsgi', address: clinic.site.addresses.socket }, publicDir, words });
  const { names, text } = await diagnose(patient(nginx.url));
  await nginx.stop();
  expect(names, text).toEqual(['site-closed']);
});

describe.skipIf(missing)('an app', () => {
  const behind = async (address: string) => {
    const nginx = await startNginx({ app: { kind: 'http', address }, publicDir });
    const found = await diagnose(patient(nginx.url));
    await nginx.stop();
    return found;
  };

  test('that is down → app-down', async () => {
    const { names, text } = await behind(`127.0.0.1:${await freePort()}`);
    expect(names, text).toEqual(['app-down']);
  });

  test('whose listener for browsers is used by nginx → listener-for-browsers', async () => {
    const { names, text } = await behind(clinic.site.direct.http.replace('http://', ''));
    expect(names, text).toEqual(['listener-for-browsers']);
  });
});

test.skipIf(missing)('a site whose clock differs → clock-skew', async () => {
  const nginx = await startNginx({ app: { kind: 'uwsgi', address: clinic.site.addresses.socket }, publicDir });
  const asked = patient(nginx.url);
  const names = async () => (await clock.run(asked)).flatMap((one) => ('name' in one ? [one.name] : []));
  expect(await names()).toEqual([]);
  // nginx uses the clock of the machine.
  vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 120_000 });
  const later = await names();
  vi.useRealTimers();
  await nginx.stop();
  expect(later).toEqual(['clock-skew']);
});
