/** The library as built: its size, what it leaves out, and whether its declarations match. */
import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { build } from 'vite';
import { beforeAll, describe, expect, expectTypeOf, onTestFinished, test } from 'vitest';
import type * as Declared from '../../app/client/public.d.ts';
import type * as Real from '../../app/client/room.ts';

const entry = join(import.meta.dirname, '../../app/client/library.config.ts');

const buildLibrary = async (write = false) => {
  const built = await build({ configFile: entry, logLevel: 'silent', build: { write } });
  const outputs = [built].flat().flatMap((one) => ('output' in one ? one.output : []));
  return { chunks: outputs.filter((one) => one.type === 'chunk'), names: outputs.map(({ fileName }) => fileName) };
};
let code: string;
let names: string[];
beforeAll(async () => {
  const { chunks, names: all } = await buildLibrary();
  code = chunks[0]?.code ?? '';
  names = all;
});

describe('the build', () => {
  test('is one module and its declarations, under fixed names', () => {
    expect(names.toSorted()).toEqual(['js/genkan.d.ts', 'js/genkan.js']);
    expect(code).not.toMatch(/\bimport\b\s*[({'"]/);
  });

  test('has at most 18.0 kB, compressed', () => {
    expect(gzipSync(code, { level: 9 }).length).toBeLessThanOrEqual(18_000);
  });

  test('contains the codes of final errors, without their sentences', () => {
    expect(code).toContain('4503');
    expect(code).not.toContain('The room is full');
  });

  test('lets a bundler drop what a page does not use', async () => {
    const page = '\0page';
    const built = await build({
      ...{ configFile: false, logLevel: 'silent' },
      build: { write: false, rolldownOptions: { input: page, preserveEntrySignatures: 'strict' } },
      plugins: [
        {
          name: 'page',
          resolveId: (id) => (id === page || id === 'genkan/client' ? id : undefined),
          load: (id) => {
            if (id === page) return "import { join } from 'genkan/client'; export const enter = join;";
            return id === 'genkan/client' ? code : undefined;
          },
        },
      ],
    });
    const [output] = [built].flat();
    const used = output && 'output' in output ? output.output[0].code : '';
    expect(code).toContain('SHA-256');
    expect(used).toContain('genkan.v1');
    expect(used).not.toContain('SHA-256');
  });
});

test('package.json exports what the build writes', () => {
  const { exports } = JSON.parse(readFileSync(join(import.meta.dirname, '../../package.json'), 'utf8'));
  expect(exports['./client']).toEqual({ types: './dist/public/js/genkan.d.ts', default: './dist/public/js/genkan.js' });
});

test('the examples of the README are correct by the declarations', () => {
  const folder = mkdtempSync(join(tmpdir(), 'genkan-examples-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const client = join(import.meta.dirname, '../../app/client');
  const examples = [...readFileSync(join(client, 'README.md'), 'utf8').matchAll(/```js\n(.*?)```/gs)];
  expect(examples.length).toBeGreaterThan(5);
  const given = 'base: string, media: MediaStream, token: string';
  const functions = examples.map(([, code = ''], at) => {
    const parameters = code.includes('const room =') ? given : `${given}, room: ReturnType<typeof join>`;
    return `async function example${at}(${parameters}) {\n${code}}`;
  });
  const file = join(folder, 'examples.ts');
  writeFileSync(file, ["import { join } from './genkan.js';", ...functions].join('\n'));
  copyFileSync(join(client, 'public.d.ts'), join(folder, 'genkan.d.ts'));
  const options = '--ignoreConfig --noEmit --strict --module esnext --moduleResolution bundler --target esnext';
  const tsc = join(import.meta.dirname, '../../node_modules/.bin/tsc');
  const { stdout, status } = spawnSync(tsc, [...options.split(' '), '--lib', 'esnext,dom', '--types', '', file], {
    encoding: 'utf8',
  });
  expect(stdout).toBe('');
  expect(status).toBe(0);
});

/** These are checked by tsc; at run time there is nothing to check. */
describe('the declarations', () => {
  test('match the exports of the library', () => {
    expectTypeOf<Omit<Real.JoinOptions, 'timing' | 'inPlaceOf'>>().toEqualTypeOf<Declared.JoinOptions>();
    expectTypeOf<Omit<Real.Room, 'channel' | 'on'>>().toMatchTypeOf<Omit<Declared.Room, 'on'>>();
    expectTypeOf<Exclude<keyof Real.Room, 'channel'>>().toEqualTypeOf<keyof Declared.Room>();
    expectTypeOf<keyof Declared.Files>().toEqualTypeOf<keyof Real.Files>();
    expectTypeOf<keyof Declared.Incoming>().toEqualTypeOf<Exclude<keyof Real.Incoming, Hidden>>();
    expectTypeOf<keyof Declared.Outgoing>().toEqualTypeOf<Exclude<keyof Real.Outgoing, Hidden | 'offer'>>();
    expectTypeOf<Real.Files>().toMatchTypeOf<Pick<Declared.Files, 'offer' | 'close' | 'on'>>();
    expectTypeOf<Real.Incoming>().toMatchTypeOf<Declared.Incoming>();
    expectTypeOf<Real.Outgoing>().toMatchTypeOf<Declared.Outgoing>();
    expectTypeOf<Real.FileOptions>().toEqualTypeOf<Declared.FileOptions>();
  });
  type Hidden = 'id' | 'isUnfinished' | 'end' | 'hear' | 'take';

  test('have every event except those internal to the library', () => {
    type Public = Omit<Real.RoomEvents, 'joined' | 'channel' | 'data'>;
    expectTypeOf<keyof Public>().toEqualTypeOf<keyof Declared.RoomEvents>();
    expectTypeOf<Public>().toMatchTypeOf<Declared.RoomEvents>();
    expectTypeOf<Real.RoomState>().toMatchTypeOf<Declared.RoomState>();
    expectTypeOf<Real.RemotePeer>().toMatchTypeOf<Declared.RemotePeer>();
    expectTypeOf<Real.Quality>().toEqualTypeOf<Declared.Quality>();
    expectTypeOf<Real.TransferState>().toEqualTypeOf<Declared.TransferState>();
    expectTypeOf<Real.MediaState>().toEqualTypeOf<Declared.MediaState>();
    expectTypeOf<Real.Access>().toEqualTypeOf<Declared.Access>();
    expectTypeOf<Real.Transport>().toEqualTypeOf<Declared.Transport>();
    expectTypeOf<Real.LinkState>().toEqualTypeOf<Declared.LinkState>();
  });

  test('need no other file', () => {
    const text = readFileSync(join(import.meta.dirname, '../../app/client/public.d.ts'), 'utf8');
    expect(text).not.toMatch(/^import|from '|import\(/m);
  });
});
