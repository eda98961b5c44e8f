/** The report, as text and as JSON. */
import { wrap } from '../config/text-columns.ts';
import type { Finding } from './finding.ts';
import type { DoctorReport } from './run.ts';

const width = 120;

/** Each finding on a line with its fix below it, and a summary at the end. */
export const showReport = (report: DoctorReport): string =>
  [
    ...report.flatMap(({ check, findings }) => findings.flatMap((one) => showFinding(check, one))),
    '',
    summary(report),
  ].join('\n');

const showFinding = (check: string, finding: Finding): string[] => {
  const name = 'name' in finding ? `${finding.name}: ` : '';
  const [first = '', ...more] = wrap(`${name}${finding.what}`, width - 24);
  const fix =
    'fix' in finding ? wrap(finding.fix, width - 26).map((line, index) => `${index === 0 ? '→ ' : '  '}${line}`) : [];
  return [
    `${finding.level.padEnd(8)} ${check.padEnd(13)}  ${first}`,
    ...[...more, ...fix].map((line) => `${' '.repeat(24)}${line}`),
  ];
};

const summary = (report: DoctorReport): string => {
  const count = (level: Finding['level']) =>
    report.flatMap(({ findings }) => findings).filter((one) => one.level === level).length;
  const [faults, warnings, skipped] = [count('fault'), count('warning'), count('skipped')];
  return `faults: ${faults}, warnings: ${warnings}, not tried: ${skipped}`;
};

/** `{"faults": …, "findings": [{"check", "level", "what", "name"?, "fix"?}]}` */
export const jsonReport = (report: DoctorReport): string => {
  const findings = report.flatMap(({ check, findings }) => findings.map((one) => ({ check, ...one })));
  return JSON.stringify({ faults: findings.filter(({ level }) => level === 'fault').length, findings }, null, 2);
};

/** Whether there are no faults; warnings do not count. */
export const isWell = (report: DoctorReport): boolean =>
  report.every(({ findings }) => findings.every(({ level }) => level !== 'fault'));
