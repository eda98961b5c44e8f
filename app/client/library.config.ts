/** Builds the library into dist/public/js: genkan.js under a name that stays, for pages elsewhere to import, and genkan.d.ts. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { defineConfig, type Plugin } from 'vite';
import { finalCloseCodes } from './final-codes.ts';
import { precompress, target } from './vite.config.ts';

const declarations = (): Plugin => ({
  name: 'declarations',
  generateBundle() {
    const source = readFileSync(join(import.meta.dirname, 'public.d.ts'), 'utf8');
    this.emitFile({ type: 'asset', fileName: 'js/genkan.d.ts', source });
  },
});

/** Made here and not in the browser: the table of errors, with its sentences, would be a twelfth of the library. */
const finalsAlone = (): Plugin => ({
  name: 'finals-alone',
  load: (id) =>
    id.endsWith('/client/final-codes.ts') ? `export const finalCloseCodes = ${JSON.stringify(finalCloseCodes)};` : undefined,
});

export default defineConfig({
  root: import.meta.dirname,
  build: {
    outDir: '../../dist/public',
    emptyOutDir: false,
    target,
    modulePreload: false,
    rolldownOptions: {
      input: { genkan: join(import.meta.dirname, 'room.ts') },
      preserveEntrySignatures: 'strict',
      output: { entryFileNames: 'js/[name].js' },
    },
  },
  plugins: [finalsAlone(), declarations(), precompress()],
});
