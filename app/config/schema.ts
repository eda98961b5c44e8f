/** Every setting, defined once: name, value type, default and help. Everything else about settings is derived from this. */
import { z } from 'zod';
import type { Groups } from './setting-metadata.ts';
import { access } from './settings/access.ts';
import { listening } from './settings/listening.ts';
import { reports } from './settings/logging.ts';
import { workers } from './settings/processes.ts';
import { requests } from './settings/requests.ts';
import { rooms } from './settings/rooms.ts';
import { store } from './settings/store.ts';

export const schema = z.object({ ...listening, ...requests, ...access, ...rooms, ...store, ...reports, ...workers });

export const groups: Groups = {
  'Listeners and trusted front ends': listening,
  Requests: requests,
  'Access and rate limits': access,
  'Rooms and peers': rooms,
  'Room store': store,
  'Statistics and logs': reports,
  'Processes and files': workers,
};

export type Settings = z.infer<typeof schema>;
export type SettingName = keyof Settings;
export const settingNames = Object.keys(schema.shape) as SettingName[];
