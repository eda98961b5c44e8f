/**
 * Builds the server into dist/: cli.js, and the modules of app/ with the packages that they import in a few .cjs files. A start would
 * otherwise resolve, read and compile five hundred files.
 * CommonJS, because an ES module that imports node:http loads all of it, undici included, which takes as long as Node's own start.
 */
import { defineConfig, type Plugin } from 'vite';

/** V8's compile cache holds the compiled functions of the last start. Where dist/ is read-only, it is only read. */
const entry = `#!/usr/bin/env node
const { createRequire, enableCompileCache } = process.getBuiltinModule('node:module');
enableCompileCache(import.meta.dirname + '/cache');
createRequire(import.meta.url)('./main.cjs');
`;

const writeEntry = (): Plugin => ({
  name: 'write-entry',
  generateBundle() {
    this.emitFile({ type: 'asset', fileName: 'cli.js', source: entry });
  },
});

/** @fastify/static needs glob only for its option `wildcard`, which Genkan does not use; loading it takes a twentieth of the start. */
const withoutGlob = (): Plugin => ({
  name: 'without-glob',
  enforce: 'pre',
  resolveId: (id) => (id === 'glob' ? '\0glob' : undefined),
  load: (id) => (id === '\0glob' ? 'export const glob = undefined;' : undefined),
});

/** Source maps of app/ only: those of the packages would be most of what the program reads to print a stack. */
const mapOwnCode = (): Plugin => ({
  name: 'map-own-code',
  transform: {
    order: 'post',
    filter: { id: /node_modules/ },
    handler: (code) => ({ code, map: { mappings: '' } }),
  },
});

export default defineConfig({
  root: import.meta.dirname,
  publicDir: false,
  ssr: { noExternal: true },
  build: {
    outDir: '../dist',
    emptyOutDir: true,
    target: 'node22',
    ssr: true,
    minify: false,
    license: { fileName: 'licenses.md' },
    // Read only when a stack is printed; see process/source-maps.ts.
    sourcemap: true,
    rolldownOptions: {
      input: { main: 'cli.ts' },
      // Fixed names: each build overwrites its part of the compile cache.
      output: {
        format: 'cjs',
        entryFileNames: '[name].cjs',
        chunkFileNames: '[name].cjs',
        sourcemapExcludeSources: true,
      },
    },
  },
  plugins: [writeEntry(), withoutGlob(), mapOwnCode()],
});
