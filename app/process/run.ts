/** Runs the server until it ends, as a single process or as a supervisor with workers, with everything around it. */
import type { Result } from '../config/result.ts';
import type { Settings } from '../config/schema.ts';
import { checkNodeInternals } from '../listener/node-internals.ts';
import { type OpenLog, openLog } from '../logging/logger.ts';
import { serveStats } from '../stats/server.ts';
import { type ListenEndpoint, planEndpoints } from './bind-plan.ts';
import { openControl } from './control-socket.ts';
import { handleSignals, reloadOn, type ServerControl, type ServerInstance } from './lifecycle.ts';
import { backlogWarning } from './listen.ts';
import { refuseRunning, writePidfile } from './pidfile.ts';
import { dropPrivileges, identityOf, isRoot } from './privileges.ts';
import { impossibleToRun, wantsMaster } from './process-mode.ts';
import { activatedEndpoints } from './socket-activation.ts';
import { giveState, withState } from './state-directory.ts';
import { createNotifier, type Notifier } from './systemd-notify.ts';
import { watchTouched } from './watch-files.ts';

type ReadSettings = Result<{ settings: Settings }>;

type StartInstance = {
  settings: Settings;
  /** Reads the settings again from the same sources, in the same working directory as the first time. */
  reload: () => ReadSettings;
  say: (text: string) => void;
};

/** ms between updates of the text in `systemctl status`. */
const statusInterval = 10_000;

/** @returns the exit code  @throws when it cannot start; nothing is left running then */
export const run = async ({ settings, reload, say }: StartInstance): Promise<number> => {
  checkNodeInternals();
  const signals = handleSignals();
  const files = { reload: watchTouched(settings['touch-reload']), logs: watchTouched(settings['touch-logreopen']) };
  const log = openLog(settings);
  const { logger } = log;
  if (settings.pidfile !== undefined) refuseRunning(settings.pidfile);
  const passed = activatedSockets(settings, log);
  logWarnings(settings, log);
  const notifier = createNotifier(process.env, logger);
  const instance = await startInstance(settings, passed, reload, log);
  const ended = Promise.withResolvers<number>();
  const control = withNotifications(instance.life, notifier, log, ended.resolve);
  instance.ended.then(ended.resolve);
  const closers: (() => unknown)[] = [];
  try {
    await startAuxiliaries(settings, { instance, control, log, files, closers });
    for (const endpoint of instance.listening) if (!wantsMaster(settings)) logger.info(endpoint, 'listening');
    const url = instance.listening.find(({ setting }) => setting === 'http')?.url;
    if (url) say(`Genkan is running at ${url}`);
    notifier.ready();
    closers.push(startStatusUpdates(control, notifier));
    return await signals.obey(control, logger, ended.promise);
  } catch (error) {
    control.kill();
    throw error;
  } finally {
    for (const close of [...closers.reverse(), () => instance.close(), () => notifier.close()])
      await runCloser(close, log);
  }
};

/** A failed removal (say, of a file on a file system that has become read-only) must not keep the rest from closing. */
const runCloser = async (close: () => unknown, { logger }: OpenLog): Promise<void> => {
  try {
    await close();
  } catch (error) {
    logger.error({ err: error }, 'cleanup on exit failed');
  }
};

const activatedSockets = (settings: Settings, { logger }: OpenLog): ListenEndpoint[] => {
  const passed = activatedEndpoints(process.env, settings);
  if ('faults' in passed) throw new Error(passed.faults.join('\n'));
  for (const setting of new Set(passed.places.map((endpoint) => endpoint.setting)))
    logger.info(
      { setting, configured: settings[setting].length },
      'sockets passed by systemd replace the configured addresses',
    );
  return passed.places;
};

const logWarnings = (settings: Settings, { logger }: OpenLog): void => {
  const backlog = backlogWarning(settings.listen);
  if (backlog !== undefined) logger.warn({ listen: settings.listen }, backlog);
  if (settings.store === 'memory')
    logger.info({}, 'rooms are kept in memory: they outlive a reload, but neither a restart nor a crash');
  if (isRoot() && settings.uid === undefined && !settings['allow-root'])
    logger.warn({}, 'running as root; set uid, or allow-root if this is intended');
};

/** Binds everything, drops privileges, and then serves. */
const startInstance = async (
  settings: Settings,
  passed: ListenEndpoint[],
  reload: () => ReadSettings,
  log: OpenLog,
): Promise<ServerInstance> => {
  const checked = (read: ReadSettings) => {
    if ('faults' in read) return read;
    const faults = impossibleToRun(read.settings, passed);
    const plan = planEndpoints(read.settings, passed);
    return faults.length > 0 || 'faults' in plan
      ? { faults }
      : { settings: withState(read.settings), plan: plan.workers };
  };
  const first = checked({ settings });
  if ('faults' in first) throw new Error(first.faults.join('\n'));
  const identity = identityOf(settings.uid, settings.gid);
  const bound = () => {
    if (!identity) return;
    giveState(first.settings, identity);
    dropPrivileges(identity);
  };
  // Imported on demand: the supervisor does not need the web framework in its memory.
  if (wantsMaster(settings)) {
    const { startMultiProcess } = await import('./multi-process.ts');
    return startMultiProcess(first, log, () => checked(reload()), bound);
  }
  const { startSingleProcess } = await import('./single-process.ts');
  return startSingleProcess(first.settings, log, first.plan.flat(), bound);
};

/** Reports state changes to systemd, and every end to `ended`, whatever caused it. */
const withNotifications = (
  control: ServerControl,
  notifier: Notifier,
  { logger }: OpenLog,
  ended: (code: number) => void,
): ServerControl => ({
  async reload() {
    notifier.reloading();
    const outcome = await control.reload();
    notifier.ready();
    return outcome;
  },
  async stop() {
    notifier.stopping();
    await control.stop();
    ended(0);
  },
  kill() {
    control.kill();
    ended(1);
  },
  get paused() {
    return control.paused;
  },
  set paused(wanted) {
    control.paused = wanted;
    logger.info({ paused: wanted }, wanted ? 'paused: new rooms are refused' : 'resumed: new rooms are accepted');
  },
  reopen: () => control.reopen(),
  status: () => control.status(),
  count: () => control.count(),
});

/** `closers` receives a function to close each of them. */
type AuxiliaryContext = {
  instance: ServerInstance;
  control: ServerControl;
  log: OpenLog;
  files: Record<'reload' | 'logs', ReturnType<typeof watchTouched>>;
  closers: (() => unknown)[];
};

/** Starts the control socket, the statistics listeners and the watching of touch files, and writes the pidfile. */
const startAuxiliaries = async (
  settings: Settings,
  { instance, control, log, files, closers }: AuxiliaryContext,
): Promise<void> => {
  const { logger } = log;
  const path = settings['control-socket'];
  if (path !== undefined) {
    const socket = await openControl(path, control, logger);
    closers.push(socket.close);
  }
  const stats = await serveStats(settings, instance.readings, instance);
  closers.push(stats.stop);
  for (const endpoint of stats.listening) logger.info(endpoint, 'listening');
  const reload = (file: string) => {
    logger.info({ file }, 'touched');
    reloadOn({ file }, control, logger);
  };
  closers.push(files.reload(reload), files.logs(control.reopen));
  if (settings.pidfile !== undefined) closers.push(writePidfile(settings.pidfile));
};

const startStatusUpdates = (control: ServerControl, notifier: Notifier): (() => void) => {
  const show = () => {
    const { rooms, peers } = control.count();
    notifier.status(`${rooms} rooms, ${peers} peers${control.paused ? ', no new rooms' : ''}`);
  };
  show();
  const timer = setInterval(show, statusInterval);
  return () => clearInterval(timer);
};
