/** The compiled program: a few files that need no packages, with source maps, licenses and a compile cache. */
import { execFileSync } from 'node:child_process';
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { mapFrame } from '../../app/process/source-maps.ts';
import { cli } from './program.ts';

const dist = dirname(cli);
const directory = mkdtempSync(join(tmpdir(), 'genkan-build-'));
afterAll(() => rmSync(directory, { recursive: true }));

/** The position of a text in a file, from 1. */
const find = (file: string, text: string) => {
  const before = readFileSync(file, 'utf8').split(text)[0] ?? '';
  return { line: before.split('\n').length, column: before.length - before.lastIndexOf('\n') };
};

test('a stack names the lines of the sources', () => {
  const bundle = join(dist, 'serve.cjs');
  const { line, column } = find(bundle, 'options.logger.error({\n');
  const source = join(dist, '../app/web/app.ts');
  const expected = find(source, 'options.logger.error({ err: error');
  expect(mapFrame(`    at fail (${bundle}:${line}:${column})`)).toBe(
    `    at fail (${source}:${expected.line}:${expected.column})`,
  );
});

test('frames in packages, in files without a map and in Node keep their position', () => {
  const { line, column } = find(join(dist, 'serve.cjs'), 'lookup(');
  for (const frame of [
    `    at find (${dist}/serve.cjs:${line}:${column})`,
    `    at f (${dist}/none.cjs:1:2)`,
    '    at g (node:fs:1:2)',
  ])
    expect(mapFrame(frame)).toBe(frame);
});

test('the licenses of the packages are included', () => {
  const licenses = readFileSync(join(dist, 'licenses.md'), 'utf8');
  for (const name of ['fastify', 'zod', 'ws', 'pino', 'jose', 'yaml', '@redis/client', '@prometheus-io/client'])
    expect(licenses).toContain(`\n## ${name} - `);
});

test('the program needs no packages, fills its compile cache, and ignores one that is damaged', () => {
  cpSync(dist, join(directory, 'dist'), { recursive: true, filter: (path) => path !== join(dist, 'cache') });
  const version = () =>
    execFileSync(process.execPath, [join(directory, 'dist/cli.js'), '--version'], { encoding: 'utf8' });
  const first = version();
  const cache = join(directory, 'dist/cache');
  const files = readdirSync(cache, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  expect(files.length).toBeGreaterThan(0);
  for (const { parentPath, name } of files) writeFileSync(join(parentPath, name), 'damaged');
  expect(version()).toBe(first);
});
