/** The READMEs: their lines and table cells are short, the paths of the map exist, and it fits on two screens. Links: docs.test.ts. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';

const root = join(import.meta.dirname, '..');
const pages = [
  'README.md',
  'SECURITY.md',
  'CHANGELOG.md',
  'nginx/README.md',
  'app/README.md',
  'app/budgets/README.md',
  'app/listener/README.md',
  'app/process/README.md',
  'app/store/README.md',
];
const read = (page: string): string => readFileSync(join(root, page), 'utf8');

describe.each(pages)('%s', (page) => {
  const text = read(page);
  test('has no line over 160 characters, and no table cell over two lines of 80', () => {
    const lines = text.split('\n');
    expect(lines.filter((line) => line.length > 160)).toEqual([]);
    const cells = lines.filter((line) => line.startsWith('|')).flatMap((line) => line.split(' | '));
    expect(cells.filter((cell) => cell.length > 160)).toEqual([]);
  });
});

/** Everything that looks like a path: with a slash, or ending in .ts, .tsx or .md. `a/{b,c}.ts` is two paths. */
const pathsOf = (text: string): string[] =>
  [...text.matchAll(/(?<![\w./@*-])[\w./-]*(?:\/|\.(?:tsx?|css|md)\b)[\w./{},-]*/g)].flatMap(([match]) => {
    const [, before = match.replace(/[.,]+$/, ''), list = '', after = ''] = /^(.*)\{(.*)\}(.*)$/.exec(match) ?? [];
    return list.split(',').map((name) => `${before}${name}${after}`);
  });

describe.each(['app/README.md', 'app/process/README.md'])('%s', (page) => {
  const folders = ['app', 'deploy', 'nginx', 'test'];
  const files = folders.flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true }).map((file) => `/${folder}/${file}/`),
  );
  test('names only paths that exist', () => {
    // docs.test.ts checks the targets of links.
    const paths = pathsOf(read(page).replaceAll(/\]\([^)]*\)/g, ']')).filter((path) => /[a-z]/.test(path));
    expect(paths.length).toBeGreaterThan(10);
    // From the top of the repository, or as a part of a path below app/.
    const exists = (path: string) =>
      path.startsWith('/')
        ? existsSync(join(root, path))
        : files.some((file) => file.includes(`/${path}${path.endsWith('/') ? '' : '/'}`));
    expect(paths.filter((path) => !exists(path))).toEqual([]);
  });
});

test('the map of the code fits on two screens', () => {
  expect(read('app/README.md').trimEnd().split('\n').length).toBeLessThanOrEqual(110);
});
