/** The pidfile is written without following links, also in a directory where others may write. */
import {
  lstatSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { writePidfile } from '../../app/process/pidfile.ts';

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'genkan-pidfile-'));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

test('links at its path and at temporary names are not followed', () => {
  const [file, other] = [join(directory, 'genkan.pid'), join(directory, 'other')];
  writeFileSync(other, 'precious');
  symlinkSync(other, file);
  symlinkSync(other, `${file}.${process.pid}`);
  const remove = writePidfile(file);
  expect(readFileSync(other, 'utf8')).toBe('precious');
  expect(lstatSync(file).isFile()).toBe(true);
  expect(statSync(file).mode & 0o133).toBe(0);
  expect(readFileSync(file, 'utf8')).toBe(`${process.pid}\n`);
  remove();
  expect(readdirSync(directory).sort()).toEqual([`genkan.pid.${process.pid}`, 'other']);
});

test('no temporary file is left if it cannot be renamed', () => {
  const file = join(directory, 'genkan.pid');
  // A directory is not replaced by a file.
  expect(() => writePidfile(directory)).toThrow();
  expect(readdirSync(directory)).toEqual([]);
  expect(readdirSync(tmpdir()).filter((name) => join(tmpdir(), name).startsWith(`${directory}.`))).toEqual([]);
  expect(() => statSync(file)).toThrow('ENOENT');
});
