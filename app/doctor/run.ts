/** Runs every check in order, except those that an earlier fault makes pointless. */
import { RefusedError } from '../conform/inbox.ts';
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

import { reasonOf, type Site } from './target.ts';

const checks: readonly Check[] = [
  ...[address, certificate, httpsRedirect, appIdentity, page, files, headers, operations, version],
  ...[proxyHeaders, forgery, clock, bodyLimit, websocket, idle, conversation, poll, stream, ice],
];

/** The findings of each check. */
export type DoctorReport = { check: string; findings: Finding[] }[];

export const runChecks = async (site: Site): Promise<DoctorReport> => {
  const report: { check: string; findings: Promise<Finding[]> }[] = [];
  /** Blocked or skipped checks, each with the check that caused it. */
  const blocked = new Map<string, string>();
  for (const check of checks) {
    const cause = check.needs.map((name) => blocked.get(name)).find((name) => name !== undefined);
    const findings = cause === undefined ? runCheck(check, site) : Promise.resolve([skipped(`because of ${cause}`)]);
    report.push({ check: check.name, findings });
    if (!check.slow && isBlocking(await findings)) blocked.set(check.name, cause ?? check.name);
  }
  return Promise.all(report.map(async ({ check, findings }) => ({ check, findings: await findings })));
};

const isBlocking = (findings: Finding[]): boolean =>
  findings.some(endsThere) || findings.every(({ level }) => level === 'skipped');

/** Runs a check; an error that it does not expect becomes a finding. */
const runCheck = async (check: Check, site: Site): Promise<Finding[]> => {
  try {
    return await check.run(site);
  } catch (error) {
    if (!(error instanceof RefusedError)) return [found('unanswered', reasonOf(error))];
    // Checks that send an Origin handle this error themselves, so a proxy has added this one.
    if (error.code === 'origin-refused') return [skipped(error.sentence)];
    return [found(faultByCode[error.code] ?? 'entry-refused', `${error.code}: ${error.sentence}`)];
  }
};

/** A new session is unknown only to a worker that does not have its room. */
const faultByCode: Record<string, FaultName> = { 'unknown-session': 'rooms-split', 'rate-limited': 'too-many' };
