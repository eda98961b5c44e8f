/** The examination: every check in its order, without those that an earlier one has made pointless. */
import { address } from './checks/address.ts';
import { appIdentity } from './checks/app-identity.ts';
import { bodyLimit } from './checks/body-limit.ts';
import { certificate } from './checks/certificate.ts';
import { headers, operations } from './checks/headers.ts';
import { httpsRedirect } from './checks/https-redirect.ts';
import { ice } from './checks/ice.ts';
import { conversation, poll, stream } from './checks/messages.ts';
import { version } from './checks/nginx-version.ts';
import { files, page } from './checks/page.ts';
import { clock, forgery, proxyHeaders } from './checks/proxy-headers.ts';
import { idle, websocket } from './checks/websocket.ts';
import type { FaultName } from './faults.ts';
import { type Check, endsThere, type Finding, found, skipped } from './finding.ts';
import { Refused } from './peer.ts';
import { reasonOf, type Site } from './target.ts';

const checks: readonly Check[] = [
  ...[address, certificate, httpsRedirect, appIdentity, page, files, headers, operations, version],
  ...[proxyHeaders, forgery, clock, bodyLimit, websocket, idle, conversation, poll, stream, ice],
];

/** What was found, by check. */
export type Report = { check: string; findings: Finding[] }[];

export const runChecks = async (site: Site): Promise<Report> => {
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
