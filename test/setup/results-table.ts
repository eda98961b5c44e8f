/** Tables of test/BENCHMARKS.md that programs write: between two markers, one row for each measurement. */
import { readFileSync, writeFileSync } from 'node:fs';
import { cpus, totalmem } from 'node:os';
import { join } from 'node:path';

const benchmarks = join(import.meta.dirname, '../BENCHMARKS.md');

/**
 * Writes rows into the table between `<!-- name -->` and `<!-- /name -->`. A row replaces the earlier one with the same first two columns.
 * @param head the table's first two lines
 * @param order of the names in the first column; the second column is the store, memory first, the last one a date
 */
export const keepLines = (name: string, head: string, order: string[], lines: string[]): void => {
  const [begins, ends] = [`<!-- ${name} -->`, `<!-- /${name} -->`];
  const [before = '', rest = ''] = readFileSync(benchmarks, 'utf8').split(begins);
  const [table = '', after = ''] = rest.split(ends);
  const earlier = table.split('\n').filter((line) => /^\| .*\d{4}-/.test(line));
  const known = new Map([...earlier, ...lines].map((line) => [keyOf(line), line]));
  const sorted = [...known.values()].toSorted((a, b) => rank(order, a) - rank(order, b));
  writeFileSync(
    benchmarks,
    [before, begins, '\n\n', machine(), '\n\n', head, '\n', sorted.join('\n'), '\n\n', ends, after].join(''),
  );
};

const keyOf = (line: string): string => line.split('|').slice(1, 3).join('|').trim();

const rank = (order: string[], line: string): number =>
  2 * order.indexOf(line.split('|')[1]?.trim() ?? '') + (line.includes('| valkey |') ? 1 : 0);

const machine = (): string =>
  `On ${cpus().length} × ${cpus()[0]?.model.trim()}, ${Math.round(totalmem() / 2 ** 30)} GiB, Node ${process.version}.`;
