/** Links between the Markdown files, and what code, comments and settings say about those files. */
import { existsSync, globSync, readFileSync, statSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { describe, expect, test } from 'vitest';

const root = join(import.meta.dirname, '..');
const folders = '{app,deploy,nginx,test}';
const top = globSync('{*,.env.example}', { cwd: root });
const files = [...top, ...globSync(`${folders}/**/*`, { cwd: root })].filter((path) =>
  statSync(join(root, path)).isFile(),
);
const documents = files.filter((path) => path.endsWith('.md'));
const read = (path: string) => readFileSync(join(root, path), 'utf8');

/** Code may contain what looks like a link or a heading. */
const prose = (path: string) => read(path).replaceAll(/^( *)```[\s\S]*?^\1```$/gm, '');

/** The anchors of a document's headings, as GitHub makes them. */
const anchorsOf = (path: string): string[] => {
  const seen = new Map<string, number>();
  return [...prose(path).matchAll(/^#+ (.+)$/gm)].map(([, heading = '']) => {
    const text = heading.replaceAll(/\[([^\]]*)\]\([^)]*\)/g, '$1').toLowerCase();
    const anchor = text.replaceAll(/[^\p{L}\p{N}_ -]/gu, '').replaceAll(' ', '-');
    const count = seen.get(anchor) ?? 0;
    seen.set(anchor, count + 1);
    return count === 0 ? anchor : `${anchor}-${count}`;
  });
};

/** @returns why a path from the root, with or without an anchor, leads nowhere; undefined if it is right */
const broken = (target: string): string | undefined => {
  const [path = '', anchor] = target.split('#');
  if (!existsSync(join(root, path))) return `there is no ${path}`;
  if (anchor !== undefined && !anchorsOf(path).includes(anchor)) return `${path} has no #${anchor}`;
  return undefined;
};

test('all documents were found', () => {
  expect(documents).toEqual(expect.arrayContaining(['README.md', 'nginx/README.md', 'deploy/docs/compose.md']));
});

describe.each(documents)('%s', (document) => {
  test('its links lead to files and headings', () => {
    const links = prose(document)
      .replaceAll(/`[^`\n]*`/g, '')
      .matchAll(/\]\((?![a-z]+:)([^)\s]*)\)/g);
    const targets = [...links].map(([, link = '']) =>
      link.startsWith('#') ? `${document}${link}` : relative(root, join(root, dirname(document), link)),
    );
    expect(targets.map(broken).filter(Boolean)).toEqual([]);
  });
});

test('documents that are named by their path are there', () => {
  const named = files.flatMap((path) =>
    [...read(path).matchAll(/(?<![\w./-])(?:app|deploy|nginx|test)\/[\w./-]*\.md(?:#[\w-]+)?/g)].map(
      ([target]) => [path, broken(target)] as const,
    ),
  );
  expect(named.length).toBeGreaterThan(20);
  expect(named.filter(([, fault]) => fault)).toEqual([]);
});
