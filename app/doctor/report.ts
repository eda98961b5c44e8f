/** What was found, for people and for programs. */
import { wrap } from '../config/text-columns.ts';
import type { Finding } from './finding.ts';
import type { Report } from './run.ts';

const width = 120;

/** Each finding on a line, what to change below it, and at the end how it stands. */
export const showReport = (report: Report): string =>
  [...report.flatMap(({ check, findings }) => findings.flatMap((one) => show(check, one))), '', verdict(report)].join(
    '\n',
  );

const show = (check: string, finding: Finding): string[] => {
  const name = 'name' in finding ? `${finding.name}: ` : '';
  const [first = '', ...more] = wrap(`${name}${finding.what}`, width - 24);
  const fix =
    'fix' in finding ? wrap(finding.fix, width - 26).map((line, at) => `${at === 0 ? '→ ' : '  '}${line}`) : [];
  return [
    `${finding.level.padEnd(8)} ${check.padEnd(13)}  ${first}`,
    ...[...more, ...fix].map((line) => `${' '.repeat(24)}${line}`),
  ];
};

const verdict = (report: Report): string => {
  const count = (level: Finding['level']) =>
    report.flatMap(({ findings }) => findings).filter((one) => one.level === level).length;
  const [wrong, odd, left] = [count('fault'), count('warning'), count('skipped')];
  return `faults: ${wrong}, warnings: ${odd}, not tried: ${left}`;
};

/** `{"faults": …, "findings": [{"check", "level", "what", "name"?, "fix"?}]}` */
export const jsonReport = (report: Report): string => {
  const findings = report.flatMap(({ check, findings }) => findings.map((one) => ({ check, ...one })));
  return JSON.stringify({ faults: findings.filter(({ level }) => level === 'fault').length, findings }, null, 2);
};

/** Warnings are no reason to fail. */
export const isWell = (report: Report): boolean =>
  report.every(({ findings }) => findings.every(({ level }) => level !== 'fault'));
