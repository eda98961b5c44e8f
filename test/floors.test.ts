/** Reads the imports and proves the floors of the house: who may lean on whom. */
import { globSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { describe, expect, test } from 'vitest';

const app = join(import.meta.dirname, '../app');
const files = globSync('**/*.{ts,tsx}', { cwd: app }).filter((file) => !file.endsWith('.config.ts'));

type Import = { file: string; of: string; typeOnly: boolean };
/** Static and dynamic imports and re-exports; own modules as paths below app/, others by name. */
const importsOf = (file: string): Import[] => {
  const text = readFileSync(join(app, file), 'utf8');
  const statements = text.matchAll(
    /^\s*(?:import|export)\s+(type\s)?[^;]*?from\s+'([^']+)'|import\(\s*'([^']+)'\s*\)|^import\s+'([^']+)'/gm,
  );
  return [...statements].map(([, typeOnly, from, dynamic, bare]) => {
    const of = from ?? dynamic ?? bare ?? '';
    const path = of.startsWith('.') ? relative(app, join(app, dirname(file), of)) : of;
    return { file, of: path, typeOnly: typeOnly !== undefined };
  });
};
const imports = files.flatMap(importsOf);

/** The floor of a module; the browser's part is a house of its own. */
const floorOf = (path: string): number | 'client' => {
  if (path.startsWith('client/')) return 'client';
  if (/^protocol\/|^uwsgi\/(packet|modifiers|vars|names|path)\.ts$/.test(path)) return 0;
  if (
    /^budgets\/|^rooms\/|^auth\/|^nginx\/|^http\/security\.ts$|^ops\/(stats|counts|log-format|redact)\.ts$|^config\/(?!load\.ts$|sources\/yaml\.ts$)/.test(
      path,
    )
  )
    return 1;
  if (/^signaling\/|^store\/|^uwsgi\//.test(path)) return 2;
  if (/^http\//.test(path)) return 3;
  if (/^serve\.ts$|^config\/|^ops\/|^conform\/|^doctor\//.test(path)) return 4;
  if (path === 'cli.ts') return 5;
  throw new Error(`${path} stands on no floor: give it one in app/README.md and here`);
};
const isOwn = (of: string) => /\.(ts|tsx|css)$/.test(of) || files.includes(of);

/** Packages and Node modules that a floor may import for real; types cost nothing and are free for floors 2 and up. */
const outside: Record<string, RegExp> = {
  0: /^zod$/,
  1: /^zod$|^jose$|^node:crypto$/,
  2: /^zod$|^@redis\/client$|^node:(crypto|http|net|stream|buffer)$/,
  3: /^zod$|^fastify$|^@fastify\/|^ws$|^node:/,
  4: /^yaml$|^zod$|^jose$|^pino$|^@prometheus-io\/client$|^ws$|^node:/,
  5: /^node:/,
  client: /^(preact(\/|$)|uqr$)/,
};

describe('the floors', () => {
  test('every file was read', () => {
    expect(files.length).toBeGreaterThan(20);
    expect(imports.length).toBeGreaterThan(60);
  });

  test('nothing leans on a floor above its own', () => {
    const wrong = imports.filter(({ file, of }) => {
      if (!isOwn(of)) return false;
      const [from, to] = [floorOf(file), floorOf(of)];
      if (from === 'client') return to !== 'client' && !of.startsWith('protocol/');
      return to === 'client' || to > from;
    });
    expect(wrong).toEqual([]);
  });

  test('each floor uses only the packages and Node modules that it may', () => {
    const wrong = imports.filter(({ file, of, typeOnly }) => {
      if (isOwn(of)) return false;
      const floor = floorOf(file);
      return !(outside[String(floor)] as RegExp).test(of) && !(typeOnly && floor !== 0 && floor !== 1);
    });
    expect(wrong).toEqual([]);
  });

  test('the library does not know the page, and zod stays out of the browser', () => {
    const wrong = imports.filter(({ file, of, typeOnly }) => {
      if (!file.startsWith('client/')) return false;
      const library = !file.startsWith('client/page/');
      return (
        (library && (of.startsWith('client/page/') || of.startsWith('preact') || of === 'uqr')) ||
        (of === 'protocol/messages.ts' && !typeOnly)
      );
    });
    expect(wrong).toEqual([]);
  });

  test('the conformance client knows of the server only the protocol', () => {
    const wrong = imports.filter(
      ({ file, of }) => file.startsWith('conform/') && isOwn(of) && !/^(conform|protocol)\//.test(of),
    );
    expect(wrong).toEqual([]);
  });

  test('only the command line exits, and the domain knows no clock, timer or process', () => {
    const text = (file: string) => readFileSync(join(app, file), 'utf8');
    expect(files.filter((file) => file !== 'cli.ts' && text(file).includes('process.exit('))).toEqual([]);
    const pure = files.filter((file) => [0, 1].includes(Number(floorOf(file))));
    expect(
      pure.filter((file) => /\bDate\.now\(|\bset(Timeout|Interval|Immediate)\(|\bprocess\./.test(text(file))),
    ).toEqual([]);
  });

  test('a wrong import would be found', () => {
    expect(floorOf('signaling/session.ts')).toBeGreaterThan(Number(floorOf('rooms/room.ts')));
    expect(importsOf('serve.ts')).toContainEqual({ file: 'serve.ts', of: 'store/pausable.ts', typeOnly: false });
    expect(() => floorOf('utils/helper.ts')).toThrow(/stands on no floor/);
  });
});
