/** The real logrotate with deploy/systemd/logrotate: it rotates, and root follows no link that the app's user may have created. */
import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { without } from '../setup/without.ts';

/** In place of genkan: a user and group with this name and number exist in Debian. */
const backup = { name: 'backup', id: 34 };
const shipped = readFileSync(join(import.meta.dirname, '../../deploy/systemd/logrotate'), 'utf8');

describe.skipIf(process.getuid?.() !== 0 || without('logrotate'))('logrotate', () => {
  let place: string;
  const at = (name: string) => join(place, name);
  beforeEach(() => {
    place = mkdtempSync(join(tmpdir(), 'genkan-logrotate-'));
    chmodSync(place, 0o755);
    for (const name of ['log', 'control']) {
      mkdirSync(at(name));
      chownSync(at(name), backup.id, backup.id);
    }
    writeFileSync(at('log/genkan.log'), 'a line\n');
    chownSync(at('log/genkan.log'), backup.id, backup.id);
    const adapted = shipped
      .replace('su genkan genkan', `su ${backup.name} ${backup.name}`)
      .replaceAll('-u genkan', `-u ${backup.name}`)
      .replaceAll('/var/log/genkan', at('log'))
      .replaceAll('/run/genkan-control', at('control'));
    writeFileSync(at('conf'), adapted, { mode: 0o644 });
  });
  afterEach(() => rmSync(place, { recursive: true, force: true }));
  const rotate = () => spawnSync('logrotate', ['-f', '-s', at('state'), at('conf')], { encoding: 'utf8' });

  test('rotates the file as the user of the app', () => {
    expect(rotate()).toMatchObject({ status: 0, stderr: '' });
    expect(readFileSync(at('log/genkan.log.1'), 'utf8')).toBe('a line\n');
    expect(existsSync(at('log/genkan.log'))).toBe(false);
    expect(statSync(at('control/reopen')).uid).toBe(backup.id);
  });

  test('creates nothing as root where a link leads', () => {
    symlinkSync(at('only-root-may'), at('control/reopen'));
    rotate();
    expect(existsSync(at('log/genkan.log.1'))).toBe(true);
    expect(existsSync(at('only-root-may'))).toBe(false);
  });
});
