/** Sockets passed by systemd (sd_listen_fds(3)), and the setting that each of them belongs to. */
import type { Result } from '../config/result.ts';
import type { Settings } from '../config/schema.ts';
import { type ListenEndpoint, type ListenSetting, listenSettings } from './bind-plan.ts';

/** SD_LISTEN_FDS_START. */
const firstFd = 3;

/**
 * FileDescriptorName= of a socket selects its setting. Without a matching name it is the only configured listen setting or, if
 * none is configured, `http`, which trusts no forwarding headers.
 */
export const activatedEndpoints = (
  environment: NodeJS.ProcessEnv,
  settings: Pick<Settings, ListenSetting>,
): Result<{ places: ListenEndpoint[] }> => {
  const count = Number(environment.LISTEN_FDS);
  if (!(count > 0) || Number(environment.LISTEN_PID) !== process.pid) return { places: [] };
  const names = environment.LISTEN_FDNAMES?.split(':') ?? [];
  const configured = listenSettings.filter((setting) => settings[setting].length > 0);
  const places: ListenEndpoint[] = [];
  for (let index = 0; index < count; index += 1) {
    const named = listenSettings.find((setting) => setting === names[index]);
    const setting = named ?? (configured.length > 1 ? undefined : (configured[0] ?? 'http'));
    if (!setting)
      return { faults: [`LISTEN_FDNAMES: set FileDescriptorName=${configured.join(' or ')} in the socket unit`] };
    places.push({ setting, address: { kind: 'fd', fd: firstFd + index } });
  }
  return { places };
};
