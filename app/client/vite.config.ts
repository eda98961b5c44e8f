/** Builds the page into dist/public: index.html, and everything else under js/ with a content hash in the name. */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { brotliCompress, gzip } from 'node:zlib';
import { defineConfig, type Plugin } from 'vite';

/** Writes name.gz and name.br next to each file, for servers that serve precompressed files (nginx: gzip_static, brotli_static). */
export const precompress = (): Plugin => ({
  name: 'precompress',
  async writeBundle({ dir = '.' }, bundle) {
    const names = Object.keys(bundle).filter((name) => /\.(js|css|svg|webmanifest)$/.test(name));
    for (const file of names.map((name) => join(dir, name))) {
      const text = await readFile(file);
      await writeFile(`${file}.gz`, await promisify(gzip)(text, { level: 9 }));
      await writeFile(`${file}.br`, await promisify(brotliCompress)(text));
    }
  },
});

const hashedFile = (name: string, extension: string, content: string | Buffer) => ({
  fileName: `js/${name}-${createHash('sha256').update(content).digest('base64url').slice(0, 8)}.${extension}`,
  source: content,
});

/** Makes the page installable: icons and a manifest, whose URLs are relative to itself so that they work below any path. */
const installable = (): Plugin => {
  const icon = (name: string, sizes: string, purpose: 'any' | 'maskable') => {
    const file = hashedFile(name, 'png', readFileSync(join(import.meta.dirname, `icons/${name}.png`)));
    return { file, entry: { src: file.fileName.replace('js/', ''), sizes, type: 'image/png', purpose } };
  };
  const icons = [
    icon('icon-192', '192x192', 'any'),
    icon('icon-512', '512x512', 'any'),
    icon('maskable-512', '512x512', 'maskable'),
  ];
  const text = JSON.stringify({
    ...{ id: '../', start_url: '../', scope: '../', display: 'standalone' },
    ...{ name: 'Genkan', short_name: 'Genkan', description: 'Video calls in a room of your own.' },
    ...{ background_color: '#f6f5f1', theme_color: '#f6f5f1' },
    icons: icons.map(({ entry }) => entry),
  });
  const manifest = hashedFile('manifest', 'webmanifest', text);
  return {
    name: 'installable',
    generateBundle() {
      for (const file of [manifest, ...icons.map(({ file }) => file)]) this.emitFile({ type: 'asset', ...file });
    },
    transformIndexHtml: () => [
      // With credentials: a site behind a password would refuse the manifest otherwise.
      {
        tag: 'link',
        attrs: { rel: 'manifest', href: `./${manifest.fileName}`, crossorigin: 'use-credentials' },
        injectTo: 'head',
      },
    ],
  };
};

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
  plugins: [installable(), precompress()],
});
