/** Which worker listens where: `%w` in a path, port + worker − 1, inherited descriptors dealt out in turn. */
import { type Address, showAddress } from '../config/address.ts';
import type { Settings } from '../config/schema.ts';

/** The settings that say where workers listen, in the order in which they do. */
export const listenSettings = ['http', 'http-socket', 'socket'] as const;
export type ListenSetting = (typeof listenSettings)[number];
export type Place = { setting: ListenSetting; address: Address };

export type PlaceSettings = Pick<Settings, ListenSetting | 'processes'>;

/** Where `:port` of a setting listens; undefined = every interface, which is meant only where browsers come directly. */
export const hostOf = (setting: ListenSetting): string | undefined => (setting === 'http' ? undefined : '127.0.0.1');

/**
 * For each worker the places it listens on; worker 1 is the first.
 * @param passed by systemd; they take the place of the configured addresses of their setting
 */
export const planPlaces = (
  settings: PlaceSettings,
  passed: Place[] = [],
): { workers: Place[][] } | { faults: string[] } => {
  const wanted = listenSettings.flatMap((setting) => {
    const own = passed.filter((place) => place.setting === setting);
    return own.length > 0 ? own : settings[setting].map((address) => ({ setting, address }));
  });
  const faults = unfit(wanted, settings.processes);
  if (faults.length > 0) return { faults };
  const workers = Array.from({ length: settings.processes }, (_, index) =>
    placesOf(wanted, index + 1, settings.processes),
  );
  const twice = repeated(workers.flat());
  return twice === undefined
    ? { workers }
    : { faults: [`${twice}: two workers would listen there; leave ${settings.processes} ports free after each`] };
};

/** What stands in the way of more than one worker; the store is memory until there is another. */
const unfit = (wanted: Place[], processes: number): string[] => {
  if (processes === 1) return [];
  const faults: string[] = [];
  if (wanted.some(({ setting }) => setting === 'http'))
    faults.push(
      `rooms live in one worker: --http with --processes ${processes} needs nginx in front, hashing rooms over the workers' sockets, or a store`,
    );
  for (const { setting, address } of wanted)
    if (address.kind === 'unix' && !address.path.includes('%w'))
      faults.push(
        `--${setting} ${address.path}: ${processes} workers need a socket each; write %w for the worker's number, such as app.%w.sock`,
      );
  for (const setting of listenSettings) {
    const count = wanted.filter((place) => place.setting === setting && place.address.kind === 'fd').length;
    if (count % processes !== 0)
      faults.push(`--${setting}: ${count} inherited sockets cannot be dealt out to ${processes} workers`);
  }
  return faults;
};

const placesOf = (wanted: Place[], worker: number, processes: number): Place[] => {
  const seen: Partial<Record<ListenSetting, number>> = {};
  return wanted.flatMap(({ setting, address }): Place[] => {
    if (address.kind !== 'fd') return [{ setting, address: expand(address, worker) }];
    const before = seen[setting] ?? 0;
    seen[setting] = before + 1;
    return before % processes === worker - 1 ? [{ setting, address }] : [];
  });
};

/** Port 0 stays 0: any free one, another for each worker. */
const expand = (address: Address, worker: number): Address => {
  if (address.kind === 'unix') return { ...address, path: address.path.replaceAll('%w', String(worker)) };
  if (address.kind === 'tcp' && address.port > 0) return { ...address, port: address.port + worker - 1 };
  return address;
};

const repeated = (places: Place[]): string | undefined => {
  const seen = new Set<string>();
  for (const { address } of places) {
    const shown = showAddress(address);
    if (address.kind === 'tcp' && address.port === 0) continue;
    if (seen.has(shown)) return shown;
    seen.add(shown);
  }
  return undefined;
};
