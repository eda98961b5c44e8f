/** The types of checks and findings. */
import { type Fault, type FaultName, faults } from './faults.ts';
import type { Site } from './target.ts';

export type Finding =
  | { level: 'ok' | 'skipped'; what: string }
  | { level: 'warning' | 'fault'; name: FaultName; what: string; fix: string };

export const ok = (what: string): Finding => ({ level: 'ok', what });

/** @param what why the check did not run */
export const skipped = (what: string): Finding => ({ level: 'skipped', what });

/** @param what what was observed in this case */
export const found = (name: FaultName, what: string): Finding => {
  const { level, fix } = faults[name];
  return { level, name, what, fix };
};

/** Whether checks that depend on this one are skipped. */
export const endsThere = (finding: Finding): boolean => {
  const fault: Fault | undefined = 'name' in finding ? faults[finding.name] : undefined;
  return fault?.blocking === true;
};

/** The findings; if there are none, one of level `ok` with this text. */
export const orOk = (findings: Finding[], what: string): Finding[] => (findings.length > 0 ? findings : [ok(what)]);

export type Check = {
  name: string;
  /** Names of checks; if one of them finds a blocking fault or is skipped, this check is skipped. */
  needs: string[];
  /** Takes long: runs concurrently with the checks after it. */
  slow?: true;
  run(site: Site): Promise<Finding[]>;
};
