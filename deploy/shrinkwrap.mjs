// Runs around `npm pack` (prepack, postpack): npm never packs package-lock.json, so what would be installed from the tarball is
// not what was tested. npm-shrinkwrap.json is the same lock for users who install the package: without the packages that only builds and
// tests need. It exists while the tarball is made and no longer, since npm would take it for the lock of the checkout.
//   node deploy/shrinkwrap.mjs            writes it beside package-lock.json
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
