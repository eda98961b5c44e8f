// Runs around `npm pack` (prepack, postpack): npm never packs package-lock.json, so an install from the tarball would not have the
// tested versions. npm-shrinkwrap.json is the same lock for users of the package, without the development dependencies. It exists only
// while the tarball is made, because npm would use it as the lock of the checkout.
//   node deploy/shrinkwrap.mjs            writes it next to package-lock.json
//   node deploy/shrinkwrap.mjs --remove   removes it
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const root = join(import.meta.dirname, '..');
const file = join(root, 'npm-shrinkwrap.json');

if (process.argv[2] === '--remove') {
  rmSync(file, { force: true });
} else {
  const lock = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8'));
  const { '': self, ...others } = lock.packages;
  const { devDependencies: _, ...own } = self;
  const needed = Object.entries(others).filter(([, { dev }]) => !dev);
  const packages = { '': own, ...Object.fromEntries(needed) };
  writeFileSync(file, `${JSON.stringify({ ...lock, packages }, null, 2)}\n`);
}
