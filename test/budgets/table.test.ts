/** The table in app/budgets/README.md is that of the code, with the settings' names and defaults. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { budgets } from '../../app/budgets/table.ts';
import { schema, settingNames } from '../../app/config/schema.ts';
import { defaultOf } from '../../app/config/value-types.ts';

const readme = readFileSync(join(import.meta.dirname, '../../app/budgets/README.md'), 'utf8');
const defaultsOf = (settings: string[]): string =>
  settings.map((name) => String(defaultOf(schema.shape[name as keyof typeof schema.shape]))).join(', ');
const lines = budgets.map(
  ({ resource, owner, settings, atLimit }) =>
    `| ${resource} | ${owner} | ${settings.map((name) => `\`${name}\``).join(', ')} | ${defaultsOf(settings)} | ${atLimit} |`,
);

test('app/budgets/README.md shows every row, and no other', () => {
  const [, shown = ''] = /<!-- budgets -->\n(.*?)<!-- \/budgets -->/s.exec(readme) ?? [];
  expect(shown.trim().split('\n').slice(2)).toEqual(lines);
});

test('the table contains every setting that limits what clients use', () => {
  const listed = new Set(budgets.flatMap(({ settings }) => settings));
  const limiting = settingNames.filter((name) => /-(rate|burst)$|^max-(?!worker|quiet)/.test(name));
  expect(limiting.filter((name) => !listed.has(name))).toEqual([]);
  expect([...listed].filter((name) => !settingNames.includes(name as never))).toEqual([]);
});
