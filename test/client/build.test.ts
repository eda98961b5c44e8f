/** The page as built: what a browser fetches before it can be used, from where, and what makes it installable. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { build } from 'vite';
import { beforeAll, describe, expect, test } from 'vitest';

type Output = { fileName: string; text: string; bytes: Uint8Array | string; imports: string[]; later: string[] };
const outputs = new Map<string, Output>();
const file = (name: string): Output => outputs.get(name) ?? expect.fail(`${name} is not built`);
const only = (pattern: RegExp): Output => {
  const [found, ...others] = [...outputs.values()].filter(({ fileName }) => pattern.test(fileName));
  return found && others.length === 0 ? found : expect.fail(`${pattern} names ${others.length + 1} files`);
};

beforeAll(async () => {
  const configFile = join(import.meta.dirname, '../../app/client/vite.config.ts');
  const built = await build({ configFile, logLevel: 'silent', build: { write: false } });
  for (const one of [built].flat().flatMap((each) => ('output' in each ? each.output : []))) {
    const bytes = one.type === 'chunk' ? one.code : one.source;
    const [imports, later] = one.type === 'chunk' ? [one.imports, one.dynamicImports] : [[], []];
    outputs.set(one.fileName, { fileName: one.fileName, text: String(bytes), bytes, imports, later });
  }
});

/** A script with all its static imports. */
const closure = (name: string, found = new Set<string>()): Set<string> => {
  if (found.has(name)) return found;
  for (const each of file(found.add(name) && name).imports) closure(each, found);
  return found;
};
const packed = (names: Iterable<string>): number =>
  [...names].reduce((sum, name) => sum + gzipSync(file(name).bytes, { level: 9 }).length, 0);

describe('the page', () => {
  const entryOf = () => /<script type="module"[^>]* src="\.\/([^"]+)"/.exec(file('index.html').text)?.[1] ?? '';

  test('can be used with at most 60 kB of compressed script, and the start page with half of it', () => {
    const atFirst = closure(entryOf());
    const whole = new Set([...atFirst].flatMap((name) => file(name).later).flatMap((name) => [...closure(name)]));
    const inside = [...closure(only(/^js\/call-chunk-/).fileName)];
    expect(packed(atFirst)).toBeLessThanOrEqual(30_000);
    expect(packed(new Set([...atFirst, ...inside]))).toBeLessThanOrEqual(60_000);
    expect([...whole]).toContain(only(/^js\/call-chunk-/).fileName);
    expect([...atFirst, ...inside]).not.toContain(only(/^js\/qr-/).fileName);
    expect([...atFirst].map((name) => file(name).text).join('')).not.toContain('RTCPeerConnection({');
  });

  test('fetches nothing from other sites', () => {
    for (const { fileName, text } of outputs.values()) {
      if (fileName.endsWith('.png')) continue;
      const addresses = [...text.matchAll(/(?:https?|wss?):\/\/\w[\w.-]*/g)].map(([address]) => address);
      // Language codes, not places.
      expect(
        addresses.filter((address) => address !== 'http://www.w3.org'),
        fileName,
      ).toEqual([]);
    }
  });

  test('has content hashes in its file names below js/, so that no cached copy is outdated', () => {
    for (const name of outputs.keys()) if (name !== 'index.html') expect(name).toMatch(/^js\/[\w-]+-[\w-]{8}\.[a-z]+$/);
  });
});

describe('the manifest', () => {
  test('has what browsers require of an installable page, at any base path', () => {
    const { fileName, text } = only(/\.webmanifest$/);
    expect(file('index.html').text).toContain(`rel="manifest" href="./${fileName}"`);
    const manifest = JSON.parse(text);
    const at = `https://meet.example/deep/${fileName}`;
    expect(new URL(manifest.start_url, at).href).toBe('https://meet.example/deep/');
    expect(new URL(manifest.scope, at).href).toBe('https://meet.example/deep/');
    expect(manifest).toMatchObject({ name: 'Genkan', display: 'standalone' });
    for (const { src, sizes } of manifest.icons) {
      const icon = Buffer.from(file(`js/${src}`).bytes);
      // Width and height are in the header. https://www.w3.org/TR/png-3/#11IHDR
      expect(`${icon.readUInt32BE(16)}x${icon.readUInt32BE(20)}`, src).toBe(sizes);
    }
    expect(manifest.icons.map(({ sizes, purpose }: Record<string, string>) => `${sizes} ${purpose}`)).toEqual([
      '192x192 any',
      '512x512 any',
      '512x512 maskable',
    ]);
  });

  test('is part of the latest build', () => {
    const html = join(import.meta.dirname, '../../dist/public/index.html');
    const [, manifest = ''] = /rel="manifest" href="\.\/([^"]+)"/.exec(readFileSync(html, 'utf8')) ?? [];
    expect(existsSync(join(html, '..', manifest))).toBe(true);
  });
});
