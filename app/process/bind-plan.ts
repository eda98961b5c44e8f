/**
 * Which worker listens where: `%w` in a path, port + worker − 1, inherited descriptors dealt out in turn. Where any worker can
 * serve any room, those for browsers are everyone's.
 */
import { type Address, showAddress } from '../config/address.ts';
import type { Settings } from '../config/schema.ts';

/** The settings that say where workers listen, in the order in which they do. */
export const listenSettings = ['http', 'http-socket', 'socket'] as const;
export type ListenSetting = (typeof listenSettings)[number];
export type ListenEndpoint = { setting: ListenSetting; address: Address };

export type ListenSettings = Pick<Settings, ListenSetting | 'processes' | 'store'>;

/** Where `:port` of a setting listens; undefined = every interface, which is meant only where browsers come directly. */
export const hostOf = (setting: ListenSetting): string | undefined => (setting === 'http' ? undefined : '127.0.0.1');

/**
 * For each worker the places it listens on; worker 1 is the first.
 * @param passed by systemd; they take the place of the configured addresses of their setting
 */
export const planEndpoints = (
  settings: ListenSettings,
  passed: ListenEndpoint[] = [],
): { workers: ListenEndpoint[][] } | { faults: string[] } => {
  const wanted = listenSettings.flatMap((setting) => {
    const given = passed.filter((place) => place.setting === setting);
    return given.length > 0 ? given : settings[setting].map((address) => ({ setting, address }));
  });
  const isShared = ({ setting }: ListenEndpoint): boolean => setting === 'http' && settings.store !== 'memory';
  const own = wanted.filter((place) => !isShared(place));
  const faults = unfit(own, settings.processes);
  if (faults.length > 0) return { faults };
  const shared = wanted.filter(isShared);
  const workers = Array.from({ length: settings.processes }, (_, index) =>
    placesOf(own, index + 1, settings.processes),
  );
  const twice = repeated([...shared, ...workers.flat()]);
  return twice === undefined
    ? { workers: workers.map((places) => [...shared, ...places]) }
    : { faults: [`${twice}: two workers would listen there; leave ${settings.processes} ports free after each`] };
};

/** What stands in the way of more than one worker with places of its own. */
const unfit = (wanted: ListenEndpoint[], processes: number): string[] => {
  if (processes === 1) return [];
  const faults: string[] = [];
  if (wanted.some(({ setting }) => setting === 'http'))
    faults.push(
      `rooms live in one worker: --http with --processes ${processes} cannot find it; put nginx in front, which hashes rooms over the workers' sockets (--socket /run/genkan/app.%w.sock), or give --store valkey://…, from where every worker serves every room`,
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

const placesOf = (wanted: ListenEndpoint[], worker: number, processes: number): ListenEndpoint[] => {
  const seen: Partial<Record<ListenSetting, number>> = {};
  return wanted.flatMap(({ setting, address }): ListenEndpoint[] => {
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

const repeated = (places: ListenEndpoint[]): string | undefined => {
  const seen = new Set<string>();
  for (const { address } of places) {
    const shown = showAddress(address);
    if (address.kind === 'tcp' && address.port === 0) continue;
    if (seen.has(shown)) return shown;
    seen.add(shown);
  }
  return undefined;
};
