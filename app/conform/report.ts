/** A readable report: a table, the broken cases, the cases that were not tested, and the totals. */
import { type CaseResult, transports } from './runner.ts';
import { guarantees } from './spec.ts';

export const report = (base: string, results: CaseResult[]): string => {
  const sum = (['kept', 'broken', 'not tested'] as const).map(
    (verdict) => `${results.filter((one) => one.verdict === verdict).length} ${verdict}`,
  );
  return [
    `The guarantees of genkan.v1 and genkan.v2 at ${base}`,
    table(results),
    ...brokenCases(results),
    ...notTested(results),
    sum.join(', '),
  ].join('\n\n');
};

const table = (results: CaseResult[]): string => {
  const names = transports.map(({ name }) => name);
  const rows = guarantees.map(({ title }, at) => [
    `${at + 1}  ${title}`,
    ...names.map((name) => cell(results.filter((one) => one.guarantee === at + 1 && one.transport === name))),
  ]);
  const width = Math.max(...rows.map(([title = '']) => title.length));
  return [['', ...names], ...rows]
    .map(([title = '', ...cells]) =>
      `${title.padEnd(width)}  ${cells.map((text) => text.padEnd(10)).join('  ')}`.trimEnd(),
    )
    .join('\n');
};

/** One broken case breaks the guarantee; cases that were not tested show as a fraction. */
const cell = (results: CaseResult[]): string => {
  if (results.length === 0) return '–';
  if (results.some(({ verdict }) => verdict === 'broken')) return 'broken';
  const kept = results.filter(({ verdict }) => verdict === 'kept').length;
  if (kept === 0) return 'not tested';
  return kept === results.length ? 'kept' : `kept ${kept}/${results.length}`;
};

const brokenCases = (results: CaseResult[]): string[] =>
  results.flatMap((one) => (one.verdict === 'broken' ? [`broken: ${nameOf(one)}\n    ${one.seen}`] : []));

const notTested = (results: CaseResult[]): string[] => {
  const reasons = new Map<string, CaseResult[]>();
  for (const one of results)
    if (one.verdict === 'not tested') reasons.set(one.why, [...(reasons.get(one.why) ?? []), one]);
  return [...reasons].map(
    ([why, cases]) => `not tested, because ${why}:\n${cases.map((one) => `    ${nameOf(one)}`).join('\n')}`,
  );
};

const nameOf = ({ guarantee, name, transport }: CaseResult): string => `${guarantee}, ${transport}: ${name}`;
