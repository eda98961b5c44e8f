/** Loads settings in tests, with files that exist only there. */
import { type Loaded, load } from '../../app/config/load.ts';

export const reading =
  (files: Record<string, string>) =>
  (path: string): string => {
    const text = files[path];
    if (text === undefined) throw new Error(`ENOENT: no such file, open '${path}'`);
    return text;
  };

/** The settings of a file `f.yaml`, with further flags. */
export const loadYaml = (text: string, argv: string[] = [], environment: Record<string, string> = {}): Loaded =>
  load(['--yaml', 'f.yaml', ...argv], environment, reading({ 'f.yaml': text }));

export const faultsOf = (loaded: { faults: string[] } | object): string[] => ('faults' in loaded ? loaded.faults : []);
export const settingsOf = <S>(loaded: Loaded<S>): S => {
  if ('faults' in loaded) throw new Error(loaded.faults.join('\n'));
  return loaded.settings;
};
