/** Metadata of a setting: help texts, aliases, and whether it is secret. */
import { z } from 'zod';
import { isRepeatable } from './value-types.ts';

type SettingMetadata = {
  /** What it does; without a full stop, because more is appended. */
  help: string;
  /** What uWSGI's option of this name does; absent when uWSGI has none. */
  uwsgi?: string;
  /** How it differs from uWSGI's option. */
  differs?: string;
  /** Shown by `genkan --help`, which fits on two screens; `--help --all` shows every setting. */
  common?: true;
  /** Aliases; a single letter is a short flag. */
  also?: string[];
  /** Never printed, and can be read from a file: `NAME_file`, `GENKAN_NAME_FILE`. */
  secret?: true;
};

/** A new setting needs only its value type and `.register(settingMetadata, {…})`. */
export const settingMetadata = z.registry<SettingMetadata>();

/** @throws when a setting was declared without metadata: a programming error */
export const metadataOf = (setting: z.core.$ZodType): SettingMetadata => {
  const found = settingMetadata.get(setting);
  if (!found) throw new Error('a setting in the schema has no .register(settingMetadata, …)');
  return found;
};

/** The environment variable of a setting: `max-peers` → `GENKAN_MAX_PEERS`. */
export const environmentName = (name: string): string => `GENKAN_${name.toUpperCase().replaceAll('-', '_')}`;

/** The default as shown in help; undefined when there is none. */
export const showDefault = (setting: z.core.$ZodType): string | undefined => {
  if (isRepeatable(setting)) return 'repeatable';
  return setting instanceof z.ZodDefault ? `default ${String(setting.def.defaultValue)}` : undefined;
};

/** Groups of settings under the headings of help and print-config. */
export type Groups = Record<string, z.core.$ZodShape>;
