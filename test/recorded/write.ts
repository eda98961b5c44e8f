/** Records an example of the current formats, kept for ever. An existing one is never overwritten: raise the format. */
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { folder, handedOver, handOverFile, journaled, journalFile, stored, storeFile } from './life.ts';

const json = (example: unknown): string => `${JSON.stringify(example, null, 2)}\n`;
for (const [file, example] of [
  [handOverFile, json(handedOver())],
  [storeFile, json(stored())],
  [journalFile, journaled()],
] as const) {
  const path = join(folder, file);
  if (existsSync(path)) console.log(`${file} is there`);
  else writeFileSync(path, example);
}
