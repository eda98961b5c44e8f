/** Builds the page into dist/public: index.html, and everything else under js/ with its content's hash in the name. */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { brotliCompress, gzip } from 'node:zlib';
import { defineConfig, type Plugin } from 'vite';

/** Writes name.gz and name.br beside name, for servers that send them as they lie there (nginx: gzip_static, brotli_static). */
export const precompress = (): Plugin => ({
  name: 'precompress',
  async writeBundle({ dir = '.' }, bundle) {
    const names = Object.keys(bundle).filter((name) => /\.(js|css|svg)$/.test(name));
    for (const file of names.map((name) => join(dir, name))) {
      const text = await readFile(file);
      await writeFile(`${file}.gz`, await promisify(gzip)(text, { level: 9 }));
      await writeFile(`${file}.br`, await promisify(brotliCompress)(text));
    }
  },
});

export const target = ['es2022', 'chrome110', 'firefox115', 'safari16'];

export default defineConfig({
  root: import.meta.dirname,
  // Relative to <base href>, so that the same build works below any path.
  base: './',
  oxc: { jsx: { runtime: 'automatic', importSource: 'preact' } },
  build: {
    outDir: '../../dist/public',
    emptyOutDir: true,
    target,
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
