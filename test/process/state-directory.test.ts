/** Where the embedded store and the session key are kept. */
import { linkSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { isRoot } from '../../app/process/privileges.ts';
import { giveState, stateDirectory, withState } from '../../app/process/state-directory.ts';

const newDirectory = (): string => {
  const directory = mkdtempSync(join(tmpdir(), 'state-'));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
};
const settingsOf = (directory: string, more: object = {}) => ({
  store: 'embedded',
  'state-dir': directory,
  'session-key': undefined,
  processes: 1,
  ...more,
});

test('the setting comes first, then systemd, then the directory of the user', () => {
  const none = { 'state-dir': undefined };
  expect(stateDirectory({ 'state-dir': '/a' }, { STATE_DIRECTORY: '/b' })).toBe('/a');
  expect(stateDirectory(none, { STATE_DIRECTORY: '/b:/c', XDG_STATE_HOME: '/d' })).toBe('/b');
  expect(stateDirectory(none, { XDG_STATE_HOME: '/d' })).toBe('/d/genkan');
  expect(stateDirectory(none, { XDG_STATE_HOME: '' })).toBe(join(homedir(), '.local/state/genkan'));
});

test('the session key is made once, and a configured one is used instead', () => {
  const directory = join(newDirectory(), 'new');
  const { 'session-key': key } = withState(settingsOf(directory));
  expect(key).toMatch(/^[\w-]{43}$/);
  expect(withState(settingsOf(directory))['session-key']).toBe(key);
  expect(readFileSync(join(directory, 'session-key'), 'utf8')).toBe(`${key}\n`);
  expect([statSync(directory).mode & 0o777, statSync(join(directory, 'session-key')).mode & 0o777]).toEqual([
    0o700, 0o600,
  ]);
  expect(withState(settingsOf(directory, { 'session-key': 'given' }))['session-key']).toBe('given');
  const memory = settingsOf('/nowhere', { store: 'memory' });
  expect(withState(memory)).toBe(memory);
});

test('no link in the directory is written through', () => {
  const directory = newDirectory();
  const other = join(newDirectory(), 'other');
  writeFileSync(other, 'kept');
  for (const name of ['processes.new', 'session-key.new']) symlinkSync(other, join(directory, name));
  withState(settingsOf(directory));
  expect(readFileSync(other, 'utf8')).toBe('kept');
  expect(readFileSync(join(directory, 'processes'), 'utf8')).toBe('1\n');
  rmSync(join(directory, 'processes'));
  symlinkSync(other, join(directory, 'processes'));
  expect(() => withState(settingsOf(directory))).toThrow('has the rooms of NaN workers');
});

test.runIf(isRoot())('root gives the user everything in the directory, and nothing outside of it', () => {
  const directory = newDirectory();
  const elsewhere = newDirectory();
  const other = join(elsewhere, 'other');
  writeFileSync(other, '');
  const settings = settingsOf(directory);
  withState(settings);
  mkdirSync(join(directory, 'worker-1'));
  writeFileSync(join(directory, 'worker-1', 'journal.1'), '');
  symlinkSync(elsewhere, join(directory, 'link'));
  symlinkSync(other, join(directory, 'worker-1', 'link'));
  linkSync(other, join(directory, 'hard-link'));
  const link = join(newDirectory(), 'state');
  symlinkSync(directory, link);
  giveState(settingsOf(link), { uid: 12345, gid: 12345 });
  const owner = (path: string) => statSync(path).uid;
  const inside = ['', 'processes', 'session-key', 'worker-1', 'worker-1/journal.1'];
  expect(inside.map((name) => owner(join(directory, name)))).toEqual(inside.map(() => 12345));
  expect([owner(elsewhere), owner(other)]).toEqual([0, 0]);
});

test('another number of workers, or a directory that cannot be used, is refused', () => {
  const directory = newDirectory();
  withState(settingsOf(directory, { processes: 4 }));
  expect(() => withState(settingsOf(directory, { processes: 2 }))).toThrow(
    `${directory} has the rooms of 4 workers, and processes is 2. Set processes to 4, or remove the directory`,
  );
  const file = join(directory, 'file');
  writeFileSync(file, '');
  expect(() => withState(settingsOf(file))).toThrow('the state directory cannot be used: EEXIST');
});
