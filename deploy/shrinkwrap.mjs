// Runs before and after `npm pack` (prepack, postpack). npm never packs package-lock.json, so an install from the tarball would not
// have the tested versions. npm-shrinkwrap.json is the same lock file without the development dependencies, and npm packs it. It
// exists only while the tarball is created, because in a checkout npm would prefer it to package-lock.json.
//   node deploy/shrinkwrap.mjs            writes it next to package-lock.json
//   node deploy/shrinkwrap.mjs --remove   removes it
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';

const root = join(import.meta.dirname, '..');
const file = join(root, 'npm-shrinkwrap.json');

if (parseArgs({ options: { remove: { type: 'boolean' } } }).values.remove) {
  rmSync(file, { force: true });
} else {
  const lock = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8'));
  const { '': self, ...others } = lock.packages;
  const { devDependencies: _, ...own } = self;
  const needed = Object.entries(others).filter(([, { dev }]) => !dev);
  const packages = { '': own, ...Object.fromEntries(needed) };
  writeFileSync(file, `${JSON.stringify({ ...lock, packages }, null, 2)}\n`);
}
