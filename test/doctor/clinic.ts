/** A correct app with a TURN server, a real nginx in front, and the doctor's findings about them. */
import { join } from 'node:path';
import type { FaultName } from '../../app/doctor/faults.ts';
import { readWords } from '../../app/doctor/options.ts';
import { showReport } from '../../app/doctor/report.ts';
import { runChecks } from '../../app/doctor/run.ts';
import type { Site as Patient } from '../../app/doctor/target.ts';
import { startNginx } from '../nginx/nginx.ts';
import { addressBudgetsLifted } from '../setup/lifted-budgets.ts';
import { type Site, startSite } from '../signaling/site.ts';
import { type Authority, createAuthority, type Files } from './certificates.ts';
import { type Row, spoiler } from './spoiled-nginx.ts';
import { startTurn } from './turn-server.ts';

export const publicDir = join(import.meta.dirname, '../../dist/public');

export const patient = (url: string, ...words: string[]): Patient => {
  const asked = readWords([url, ...words]);
  if ('faults' in asked) throw new Error(asked.faults.join('; '));
  return asked.site;
};

export type Verdict = { names: FaultName[]; text: string };

/** The names of the findings, each once, in alphabetical order, and the whole report to explain a failure. */
export const diagnose = async (asked: Patient): Promise<Verdict> => {
  const report = await runChecks(asked);
  const names = report.flatMap(({ findings }) => findings.flatMap((one) => ('name' in one ? [one.name] : [])));
  return { names: [...new Set(names)].sort(), text: showReport(report) };
};

/** `isKnown`: whether the doctor trusts the authority. */
type Fronted = Omit<Row, 'finds' | 'what'> & { files?: Files; isKnown?: boolean };

export type Clinic = {
  /** Two apps that do not share rooms. */
  site: Site;
  other: Site;
  authority: Authority;
  /** Starts nginx in front of the first; → the findings. */
  examineBehind(front: Fronted): Promise<Verdict>;
  stop(): Promise<void>;
};

export const openClinic = async (): Promise<Clinic> => {
  const turn = await startTurn('the-secret-that-signs');
  // Pings would keep an idle connection open.
  const settings = ['--ping-interval', '1', '--turn-secret', 'the-secret-that-signs', '--turn-url', turn.url];
  // Every row joins many times from one address.
  const words = [...addressBudgetsLifted, ...settings];
  const [site, other] = [await startSite(words), await startSite(words)];
  const authority = createAuthority();
  return {
    site,
    other,
    authority,
    examineBehind: (front) => examineBehind(site, authority, front),
    async stop() {
      await site.stop();
      await other.stop();
      turn.stop();
      authority.remove();
    },
  };
};

export const tlsWords = ({ chain, key }: Files): string[] => [
  ...['--mode', 'tls', '--server-name', 'localhost'],
  ...['--certificate', chain, '--certificate-key', key],
];

const examineBehind = async (
  site: Site,
  authority: Authority,
  { by, tls, base = '', files, isKnown = true, ...row }: Fronted,
): Promise<Verdict> => {
  const nginx = await startNginx({
    app: { kind: by, address: site.addresses[by === 'uwsgi' ? 'socket' : 'http-unix'] },
    publicDir,
    words: [...(row.words ?? []), ...(tls ? tlsWords(files ?? authority.issue()) : [])],
    spoil: spoiler(row.change ?? []),
    ...row.more,
  });
  try {
    const url = tls ? `https://localhost:${nginx.port}/` : `http://127.0.0.1:${nginx.port}/`;
    const trusted = tls && isKnown ? ['--ca', authority.file] : [];
    const plain = tls ? new URL(`http://localhost:${nginx.plainPort}/${base}`) : undefined;
    return await diagnose({ ...patient(url + base, ...trusted, ...(row.options ?? [])), plain });
  } finally {
    await nginx.stop();
  }
};
