/** Builds the page into dist/public: index.html, and everything else under js/ with its content's hash in the name. */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import { defineConfig, type Plugin } from 'vite';

/** Writes name.gz beside name, for servers that send it as it lies there (nginx: gzip_static). */
const precompress = (): Plugin => ({
  name: 'precompress',
  async writeBundle({ dir = '.' }, bundle) {
    const names = Object.keys(bundle).filter((name) => /\.(js|css|svg)$/.test(name));
    for (const file of names.map((name) => join(dir, name))) {
      await writeFile(`${file}.gz`, await promisify(gzip)(await readFile(file), { level: 9 }));
    }
  },
});

export default defineConfig({
  root: import.meta.dirname,
  // Relative to <base href>, so that the same build works below any path.
  base: './',
  oxc: { jsx: { runtime: 'automatic', importSource: 'preact' } },
  build: {
    outDir: '../../dist/public',
    emptyOutDir: true,
    target: ['es2022', 'chrome110', 'firefox115', 'safari16'],
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    rolldownOptions: {
      output: {
        entryFileNames: 'js/[name]-[hash].js',
        chunkFileNames: 'js/[name]-[hash].js',
        assetFileNames: 'js/[name]-[hash][extname]',
      },
    },
  },
  plugins: [precompress()],
});
