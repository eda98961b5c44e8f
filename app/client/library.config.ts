/** Builds the library into dist/public/js: genkan.js, whose name is fixed so that other sites can import it, and genkan.d.ts. */
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

/** Computed at build time: the table of errors, with its messages, would be a twelfth of the library. */
const inlineFinalCodes = (): Plugin => ({
  name: 'inline-final-codes',
  load: (id) =>
    id.endsWith('/client/final-codes.ts')
      ? `export const finalCloseCodes = ${JSON.stringify(finalCloseCodes)};`
      : undefined,
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
  plugins: [inlineFinalCodes(), declarations(), precompress()],
});
