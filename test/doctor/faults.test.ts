/** Every entry in the table of faults is produced by a test here. */
import { globSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { faults } from '../../app/doctor/faults.ts';

test('every fault is expected by a test', () => {
  const texts = globSync('*.ts', { cwd: import.meta.dirname }).map((file) =>
    readFileSync(`${import.meta.dirname}/${file}`, 'utf8'),
  );
  const left = Object.keys(faults).filter((name) => !texts.some((text) => text.includes(`'${name}'`)));
  expect(left).toEqual([]);
});
