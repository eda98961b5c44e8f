/** Reads the imports and checks the layers: no module imports from a layer above its own. */
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

/** The modules of each layer; the first pattern that matches a path below app/ decides. */
const layers: [number | 'client', RegExp][] = [
  ['client', /^client\//],
  [0, /^protocol\/|^listener\/(header-names|url-path)\.ts$|^listener\/uwsgi\/(packet|modifiers|vars)\.ts$/],
  [
    4,
    /^auth\/(key-set|token-keys)\.ts$|^config\/(load|sources\/yaml)\.ts$|^stats\/(snapshot|aggregate|process-stats|server|backlog|prometheus)\.ts$/,
  ],
  [1, /^(budgets|rooms|auth|nginx|config)\/|^web\/security-headers\.ts$|^stats\/|^logging\/(format|redact)\.ts$/],
  [3, /^web\/|^listener\/http\//],
  [2, /^(signaling|store|listener)\//],
  [4, /^serve\.ts$|^(process|logging|commands|conform|doctor)\//],
  [5, /^cli\.ts$/],
];

/** The layer of a module; the browser's part is separate. */
const layerOf = (path: string): number | 'client' => {
  const layer = layers.find(([, paths]) => paths.test(path))?.[0];
  if (layer === undefined) throw new Error(`${path} is in no layer: give it one in app/README.md and here`);
  return layer;
};
const isOwn = (of: string) => /\.(ts|tsx|css)$/.test(of) || files.includes(of);

/** Packages and Node modules that a layer may import at run time; type imports are free from layer 2 on. */
const outside: Record<string, RegExp> = {
  0: /^zod$/,
  1: /^zod$|^jose$|^node:crypto$/,
  2: /^zod$|^@redis\/client$|^node:(crypto|http|net|stream|buffer|fs|fs\/promises|path|sqlite|timers\/promises|zlib)$/,
  3: /^zod$|^fastify$|^@fastify\/|^ws$|^node:/,
  4: /^\.\.\/package\.json$|^yaml$|^zod$|^jose$|^pino$|^@prometheus-io\/client$|^ws$|^node:/,
  5: /^node:/,
  client: /^(preact(\/|$)|uqr$)/,
};

describe('the layers', () => {
  test('every file was read', () => {
    expect(files.length).toBeGreaterThan(20);
    expect(imports.length).toBeGreaterThan(60);
  });

  test('no module imports from a layer above its own', () => {
    const wrong = imports.filter(({ file, of }) => {
      if (!isOwn(of)) return false;
      const [from, to] = [layerOf(file), layerOf(of)];
      if (from === 'client') return to !== 'client' && !of.startsWith('protocol/');
      return to === 'client' || to > from;
    });
    expect(wrong).toEqual([]);
  });

  test('no module imports itself through others', () => {
    const edges = new Map(
      files.map((file) => [file, imports.filter((one) => one.file === file && isOwn(one.of)).map(({ of }) => of)]),
    );
    // Depth first; what is on the path when it is reached again closes a cycle.
    const [done, cycles] = [new Set<string>(), [] as string[]];
    const visit = (file: string, path: string[]): void => {
      if (path.includes(file)) cycles.push([...path.slice(path.indexOf(file)), file].join(' > '));
      if (done.has(file) || path.includes(file)) return;
      for (const next of edges.get(file) ?? []) visit(next, [...path, file]);
      done.add(file);
    };
    for (const file of files) visit(file, []);
    expect(cycles).toEqual([]);
  });

  test('each layer imports only the packages and Node modules that it may', () => {
    const wrong = imports.filter(({ file, of, typeOnly }) => {
      if (isOwn(of)) return false;
      const layer = layerOf(file);
      return !(outside[String(layer)] as RegExp).test(of) && !(typeOnly && layer !== 0 && layer !== 1);
    });
    expect(wrong).toEqual([]);
  });

  test('the library does not import the page, and zod stays out of the browser', () => {
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

  test('the conformance client imports nothing of the server but the protocol', () => {
    const wrong = imports.filter(
      ({ file, of }) => file.startsWith('conform/') && isOwn(of) && !/^(conform|protocol)\//.test(of),
    );
    expect(wrong).toEqual([]);
  });

  test('only the command line exits, and the domain uses no clock, timer or process', () => {
    const text = (file: string) => readFileSync(join(app, file), 'utf8');
    expect(files.filter((file) => file !== 'cli.ts' && text(file).includes('process.exit('))).toEqual([]);
    const pure = files.filter((file) => [0, 1].includes(Number(layerOf(file))));
    expect(
      pure.filter((file) => /\bDate\.now\(|\bset(Timeout|Interval|Immediate)\(|\bprocess\.[a-z]/.test(text(file))),
    ).toEqual([]);
  });

  test('a forbidden import would be found', () => {
    expect(layerOf('signaling/session.ts')).toBeGreaterThan(Number(layerOf('rooms/room.ts')));
    expect(importsOf('serve.ts')).toContainEqual({ file: 'serve.ts', of: 'process/lifecycle.ts', typeOnly: false });
    expect(() => layerOf('utils/helper.ts')).toThrow(/is in no layer/);
  });
});
