/** Sockets that systemd opened for this process (sd_listen_fds(3)), and which setting each of them is for. */
import type { Settings } from '../config/schema.ts';
import { type ListenEndpoint, type ListenSetting, listenSettings } from './bind-plan.ts';

/** The first descriptor that systemd passes. */
const first = 3;

/**
 * A socket is for the setting that its FileDescriptorName= says; without such a name, for the one listening setting that
 * is configured, and when none is, for `http`, which believes nobody.
 */
export const activatedEndpoints = (
  environment: NodeJS.ProcessEnv,
  settings: Pick<Settings, ListenSetting>,
): { places: ListenEndpoint[] } | { faults: string[] } => {
  const count = Number(environment.LISTEN_FDS);
  if (!(count > 0) || Number(environment.LISTEN_PID) !== process.pid) return { places: [] };
  const names = environment.LISTEN_FDNAMES?.split(':') ?? [];
  const configured = listenSettings.filter((setting) => settings[setting].length > 0);
  const places: ListenEndpoint[] = [];
  for (let index = 0; index < count; index += 1) {
    const named = listenSettings.find((setting) => setting === names[index]);
    const setting = named ?? (configured.length > 1 ? undefined : (configured[0] ?? 'http'));
    if (!setting)
      return { faults: [`LISTEN_FDNAMES: say FileDescriptorName=${configured.join(' or ')} in the socket unit`] };
    places.push({ setting, address: { kind: 'fd', fd: first + index } });
  }
  return { places };
};
