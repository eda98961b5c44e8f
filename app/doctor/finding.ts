/** What a check found, and what a check is. */
import { type Fault, type FaultName, faults } from './faults.ts';
import type { Site } from './target.ts';

export type Finding =
  | { level: 'ok' | 'skipped'; what: string }
  | { level: 'warning' | 'fault'; name: FaultName; what: string; fix: string };

export const ok = (what: string): Finding => ({ level: 'ok', what });

/** @param what why it was not tried */
export const skipped = (what: string): Finding => ({ level: 'skipped', what });

/** @param what what was seen, for this one case */
export const found = (name: FaultName, what: string): Finding => {
  const { level, fix } = faults[name];
  return { level, name, what, fix };
};

/** Whether checks that lean on this one are pointless. */
export const endsThere = (finding: Finding): boolean => {
  const fault: Fault | undefined = 'name' in finding ? faults[finding.name] : undefined;
  return fault?.ends === true;
};

/** All findings of one kind; when there is nothing to say against it, that it is well. */
export const orOk = (findings: Finding[], what: string): Finding[] => (findings.length > 0 ? findings : [ok(what)]);

export type Check = {
  name: string;
  /** Names of the checks that must not have ended, for this one to mean something. */
  needs: string[];
  /** Takes long: is carried out while those after it are. */
  slow?: true;
  run(site: Site): Promise<Finding[]>;
};
