/** What is known of a setting besides its form: its sentences, its other names, and whether it is secret or still to come. */
import { z } from 'zod';
import { isRepeatable } from './value-types.ts';

export type SettingMetadata = {
  /** What it does here; no full stop, so that more can be added. */
  help: string;
  /** What uWSGI's option of this name does; absent when uWSGI has none. */
  uwsgi?: string;
  /** Where ours differs from uWSGI's. */
  differs?: string;
  /** Other names that are as good, a single letter being a short flag. */
  also?: string[];
  /** Not implemented: `true` refuses every value but the default; a sentence is only told to those who give the setting. */
  planned?: true | string;
  /** Never printed, and may be read from a file: `NAME_file`, `GENKAN_NAME_FILE`. */
  secret?: true;
};

/** `.register(about, {…})` beside a setting's form is all that a new setting needs. */
export const settingMetadata = z.registry<SettingMetadata>();

/** @throws when a setting was declared without its sentence: a mistake in the program */
export const metadataOf = (setting: z.core.$ZodType): SettingMetadata => {
  const found = settingMetadata.get(setting);
  if (!found) throw new Error('a setting stands in the schema without .register(about, …)');
  return found;
};

/** The environment's name of a setting: `max-peers` → `GENKAN_MAX_PEERS`. */
export const environmentName = (name: string): string => `GENKAN_${name.toUpperCase().replaceAll('-', '_')}`;

/** How a default is shown to people. */
export const showDefault = (setting: z.core.$ZodType): string => {
  if (isRepeatable(setting)) return 'may be given several times';
  return setting instanceof z.ZodDefault ? `default ${String(setting.def.defaultValue)}` : 'not set';
};

/** Groups of settings under the headings of help and print-config. */
export type Groups = Record<string, z.core.$ZodShape>;
