/** The examination: every check in its order, without those that an earlier one has made pointless. */
import { address } from './address.ts';
import { body } from './body.ts';
import { certificate } from './certificate.ts';
import { conversation, poll, stream } from './conversation.ts';
import type { FaultName } from './faults.ts';
import { type Check, endsThere, type Finding, found, skipped } from './finding.ts';
import { clock, forgery, front } from './front.ts';
import { genkan } from './genkan.ts';
import { headers, operations } from './headers.ts';
import { ice } from './ice.ts';
import { files, page } from './page.ts';
import { Refused } from './peer.ts';
import { plain } from './plain.ts';
import { reasonOf, type Site } from './site.ts';
import { version } from './version.ts';
import { idle, websocket } from './websocket.ts';

const checks: readonly Check[] = [
  ...[address, certificate, plain, genkan, page, files, headers, operations, version],
  ...[front, forgery, clock, body, websocket, idle, conversation, poll, stream, ice],
];

/** What was found, by check. */
export type Report = { check: string; findings: Finding[] }[];

export const examine = async (site: Site): Promise<Report> => {
  const report: { check: string; findings: Promise<Finding[]> }[] = [];
  /** Checks that have ended, each with the one that it is because of. */
  const ended = new Map<string, string>();
  for (const check of checks) {
    const cause = check.needs.map((name) => ended.get(name)).find((name) => name !== undefined);
    const findings = cause === undefined ? carryOut(check, site) : Promise.resolve([skipped(`because of ${cause}`)]);
    report.push({ check: check.name, findings });
    if (!check.slow && hasEnded(await findings)) ended.set(check.name, cause ?? check.name);
  }
  return Promise.all(report.map(async ({ check, findings }) => ({ check, findings: await findings })));
};

const hasEnded = (findings: Finding[]): boolean =>
  findings.some(endsThere) || findings.every(({ level }) => level === 'skipped');

/** What no check expects is found as well. */
const carryOut = async (check: Check, site: Site): Promise<Finding[]> => {
  try {
    return await check.run(site);
  } catch (error) {
    if (!(error instanceof Refused)) return [found('unanswered', reasonOf(error))];
    // Nothing here sends an Origin but what names it; so somebody adds one.
    if (error.code === 'origin-refused') return [skipped(error.message)];
    return [found(meanings[error.code] ?? 'entry-refused', `${error.code}: ${error.message}`)];
  }
};

/** A session that was given a moment ago is known where its room is. */
const meanings: Record<string, FaultName> = { 'unknown-session': 'rooms-split', 'rate-limited': 'too-many' };
