// node deploy/publish.mjs TARGET: copies the static files of this build to the directory that nginx serves, and keeps those of the
// previous build, so that a tab opened before an upgrade still finds its scripts. Unchanged files are not written again.
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { parseArgs } from 'node:util';

const [target] = parseArgs({ allowPositionals: true }).positionals;
if (!target) throw new Error('no target directory: node deploy/publish.mjs TARGET');
const source = join(import.meta.dirname, '../dist/public');
const record = join(target, '.builds.json');

/** The files of this build and of the previous one, newest first. Publishing a build again changes nothing. */
const files = filesBelow(source, 'js');
const [last = [], beforeLast = []] = existsSync(record) ? JSON.parse(readFileSync(record, 'utf8')) : [];
const builds = last.join() === files.join() ? [last, beforeLast] : [files, last];

for (const file of files) publish(file);
writeFileSync(record, JSON.stringify(builds));
const wanted = new Set(builds.flat());
const old = filesBelow(target, 'js').filter((file) => !wanted.has(file));
for (const file of old) rmSync(join(target, file));
console.log(
  `published ${files.length} static files; kept ${wanted.size - files.length} of the previous build, removed ${old.length} older ones`,
);

/** Writes under a temporary name first, so that no partial file is served. */
function publish(file) {
  const path = join(target, file);
  const content = readFileSync(join(source, file));
  if (existsSync(path) && readFileSync(path).equals(content)) return;
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(`${path}.part`, content);
  renameSync(`${path}.part`, path);
}

function filesBelow(root, folder) {
  if (!existsSync(join(root, folder))) return [];
  const entries = readdirSync(join(root, folder), { withFileTypes: true });
  return entries
    .flatMap((entry) => {
      const name = `${folder}/${entry.name}`;
      return entry.isDirectory() ? filesBelow(root, name) : [name];
    })
    .sort();
}
