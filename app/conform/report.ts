/** The verdicts as a person reads them: a table, what was broken, what was not judged, and the sum. */
import { type CaseResult, transports } from './runner.ts';
import { guarantees } from './spec.ts';

export const report = (base: string, judged: CaseResult[]): string => {
  const sum = (['kept', 'broken', 'not judged'] as const).map(
    (verdict) => `${judged.filter((one) => one.verdict === verdict).length} ${verdict}`,
  );
  return [
    `The guarantees of genkan.v1 at ${base}`,
    table(judged),
    ...breaches(judged),
    ...gaps(judged),
    sum.join(', '),
  ].join('\n\n');
};

const table = (judged: CaseResult[]): string => {
  const names = transports.map(({ name }) => name);
  const rows = guarantees.map(({ title }, at) => [
    `${at + 1}  ${title}`,
    ...names.map((name) => cell(judged.filter((one) => one.guarantee === at + 1 && one.transport === name))),
  ]);
  const width = Math.max(...rows.map(([title = '']) => title.length));
  return [['', ...names], ...rows]
    .map(([title = '', ...cells]) =>
      `${title.padEnd(width)}  ${cells.map((text) => text.padEnd(10)).join('  ')}`.trimEnd(),
    )
    .join('\n');
};

/** One broken case breaks the guarantee; of what was not judged it is said how much. */
const cell = (judged: CaseResult[]): string => {
  if (judged.length === 0) return '–';
  if (judged.some(({ verdict }) => verdict === 'broken')) return 'broken';
  const kept = judged.filter(({ verdict }) => verdict === 'kept').length;
  if (kept === 0) return 'not judged';
  return kept === judged.length ? 'kept' : `kept ${kept}/${judged.length}`;
};

const breaches = (judged: CaseResult[]): string[] =>
  judged.flatMap((one) => (one.verdict === 'broken' ? [`broken: ${nameOf(one)}\n    ${one.seen}`] : []));

const gaps = (judged: CaseResult[]): string[] => {
  const reasons = new Map<string, CaseResult[]>();
  for (const one of judged)
    if (one.verdict === 'not judged') reasons.set(one.why, [...(reasons.get(one.why) ?? []), one]);
  return [...reasons].map(
    ([why, cases]) => `not judged, because ${why}:\n${cases.map((one) => `    ${nameOf(one)}`).join('\n')}`,
  );
};

const nameOf = ({ guarantee, name, transport }: CaseResult): string => `${guarantee}, ${transport}: ${name}`;
