/**
 * Which worker listens where: `%w` in a path, port + worker − 1, inherited descriptors assigned round-robin. With a shared
 * store any worker can serve any room, so all workers share the `http` addresses.
 */
import { type Address, showAddress } from '../config/address.ts';
import type { Result } from '../config/result.ts';
import type { Settings } from '../config/schema.ts';

/** The settings with listen addresses, in the order in which workers listen on them. */
export const listenSettings = ['http', 'http-socket', 'socket'] as const;
export type ListenSetting = (typeof listenSettings)[number];
export type ListenEndpoint = { setting: ListenSetting; address: Address };

type ListenSettings = Pick<Settings, ListenSetting | 'processes' | 'store'>;

/** Host that `:port` of a setting stands for; undefined = every interface, only where browsers connect directly. */
export const hostOf = (setting: ListenSetting): string | undefined => (setting === 'http' ? undefined : '127.0.0.1');

/**
 * The endpoints that each worker listens on; worker 1 is the first.
 * @param passed by systemd; they replace the configured addresses of their setting
 */
export const planEndpoints = (
  settings: ListenSettings,
  passed: ListenEndpoint[] = [],
): Result<{ workers: ListenEndpoint[][] }> => {
  const wanted = listenSettings.flatMap((setting) => {
    const activated = passed.filter((endpoint) => endpoint.setting === setting);
    return activated.length > 0 ? activated : settings[setting].map((address) => ({ setting, address }));
  });
  const isShared = ({ setting }: ListenEndpoint): boolean => setting === 'http' && settings.store !== 'memory';
  const perWorker = wanted.filter((endpoint) => !isShared(endpoint));
  const faults = findPlanFaults(perWorker, settings.processes);
  if (faults.length > 0) return { faults };
  const shared = wanted.filter(isShared);
  const workers = Array.from({ length: settings.processes }, (_, index) =>
    endpointsOf(perWorker, index + 1, settings.processes),
  );
  const duplicate = findDuplicate([...shared, ...workers.flat()]);
  return duplicate === undefined
    ? { workers: workers.map((endpoints) => [...shared, ...endpoints]) }
    : {
        faults: [`${duplicate}: two workers would use this address; leave ${settings.processes} ports free after each`],
      };
};

/** The endpoints of a server without a supervisor. @throws if the settings name an address twice */
export const singleWorkerEndpoints = (settings: ListenSettings): ListenEndpoint[] => {
  const plan = planEndpoints({ ...settings, processes: 1 });
  if ('faults' in plan) throw new Error(plan.faults.join('\n'));
  return plan.workers.flat();
};

/** Why these endpoints cannot be split among several workers. */
const findPlanFaults = (wanted: ListenEndpoint[], processes: number): string[] => {
  if (processes === 1) return [];
  const faults: string[] = [];
  if (wanted.some(({ setting }) => setting === 'http'))
    faults.push(
      `--http cannot be used with --processes ${processes}: each room lives in one worker; put nginx in front, which hashes rooms over the workers' sockets (--socket /run/genkan/app.%w.sock), or set --store valkey://…, so that every worker serves every room`,
    );
  for (const { setting, address } of wanted)
    if (address.kind === 'unix' && !address.path.includes('%w'))
      faults.push(
        `--${setting} ${address.path}: ${processes} workers need a socket each; write %w for the worker's number, such as app.%w.sock`,
      );
  for (const setting of listenSettings) {
    const count = wanted.filter((endpoint) => endpoint.setting === setting && endpoint.address.kind === 'fd').length;
    if (count % processes !== 0)
      faults.push(`--${setting}: ${count} inherited sockets cannot be distributed over ${processes} workers`);
  }
  return faults;
};

const endpointsOf = (wanted: ListenEndpoint[], worker: number, processes: number): ListenEndpoint[] => {
  const counts: Partial<Record<ListenSetting, number>> = {};
  return wanted.flatMap(({ setting, address }): ListenEndpoint[] => {
    if (address.kind !== 'fd') return [{ setting, address: expand(address, worker) }];
    const before = counts[setting] ?? 0;
    counts[setting] = before + 1;
    return before % processes === worker - 1 ? [{ setting, address }] : [];
  });
};

/** Port 0 stays 0: each worker gets a different free port. */
const expand = (address: Address, worker: number): Address => {
  if (address.kind === 'unix') return { ...address, path: address.path.replaceAll('%w', String(worker)) };
  if (address.kind === 'tcp' && address.port > 0) return { ...address, port: address.port + worker - 1 };
  return address;
};

const findDuplicate = (endpoints: ListenEndpoint[]): string | undefined => {
  const seen = new Set<string>();
  for (const { address } of endpoints) {
    const shown = showAddress(address);
    if (address.kind === 'tcp' && address.port === 0) continue;
    if (seen.has(shown)) return shown;
    seen.add(shown);
  }
  return undefined;
};
