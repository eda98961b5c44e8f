/** Builds the library into dist/public/js: genkan.js under a name that stays, for pages elsewhere to import, and genkan.d.ts. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { defineConfig, type Plugin } from 'vite';
import { errors } from '../protocol/errors.ts';
import { precompress, target } from './vite.config.ts';

const declarations = (): Plugin => ({
  name: 'declarations',
  generateBundle() {
    const source = readFileSync(join(import.meta.dirname, 'public.d.ts'), 'utf8');
    this.emitFile({ type: 'asset', fileName: 'js/genkan.d.ts', source });
  },
});

/** Of the errors only the close codes, which is what the library reads; the sentences would be a twelfth of it. */
const onlyCloseCodes = (): Plugin => ({
  name: 'only-close-codes',
  load(id) {
    if (!id.endsWith('/protocol/errors.ts')) return undefined;
    const closing = Object.entries(errors).flatMap(([code, fate]) =>
      'close' in fate ? [[code, { close: fate.close }] as const] : [],
    );
    return `export const errors = ${JSON.stringify(Object.fromEntries(closing))};`;
  },
});

export default defineConfig({
  root: import.meta.dirname,
  build: {
    outDir: '../../dist/public',
    emptyOutDir: false,
    target,
    modulePreload: false,
    rolldownOptions: {
      input: { genkan: join(import.meta.dirname, 'genkan.ts') },
      preserveEntrySignatures: 'strict',
      output: { entryFileNames: 'js/[name].js' },
    },
  },
  plugins: [onlyCloseCodes(), declarations(), precompress()],
});
