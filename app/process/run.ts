/** Runs the server until it ends: one process by itself, or a supervisor with workers; says so to whoever should know. */
import type { Settings } from '../config/schema.ts';
import { type Log, openLog } from '../logging/logger.ts';
import type { Readings } from '../stats/process-stats.ts';
import { serveStats } from '../stats/server.ts';
import { type ListenEndpoint, planEndpoints } from './bind-plan.ts';
import { openControl } from './control-socket.ts';
import { handleSignals, type ServerControl } from './lifecycle.ts';
import { backlogWarning } from './listen.ts';
import { refuseRunning, writePidfile } from './pidfile.ts';
import { dropPrivileges, identityOf, isRoot } from './privileges.ts';
import { impossibleToRun, wantsMaster } from './process-mode.ts';
import { activatedEndpoints } from './socket-activation.ts';
import type { Listening } from './supervisor/ipc.ts';
import { createNotifier, type Notifier } from './systemd-notify.ts';
import { watchTouched } from './watch-files.ts';

/** The server, however it is carried: by this process or by workers. */
export type ServerInstance = {
  life: ServerControl;
  listening: Listening[];
  readings: Readings;
  ready: () => boolean;
  /** An end that nobody asked for, with its exit code. */
  ended: Promise<number>;
  /** After the end: removes what is left. */
  close(): void;
};

type Read = { settings: Settings } | { faults: string[] };
export type StartInstance = {
  settings: Settings;
  /** Reads the settings once more, from where they came, with the same working directory as the first time. */
  reload: () => Read;
  say: (text: string) => void;
};

/** ms between looks at what `systemctl status` shows. */
const statusInterval = 10_000;

/** @returns the exit code  @throws when it cannot start; nothing is left running then */
export const run = async ({ settings, reload, say }: StartInstance): Promise<number> => {
  const signals = handleSignals();
  const files = { reload: watchTouched(settings['touch-reload']), logs: watchTouched(settings['touch-logreopen']) };
  const log = openLog(settings);
  const { logger } = log;
  if (settings.pidfile !== undefined) refuseRunning(settings.pidfile);
  const passed = passedTo(settings, log);
  warn(settings, log);
  const notifier = createNotifier(process.env, logger);
  const body = await embody(settings, passed, reload, log);
  const ended = Promise.withResolvers<number>();
  const life = announced(body.life, notifier, log, ended.resolve);
  body.ended.then(ended.resolve);
  const closers: (() => unknown)[] = [];
  try {
    await surround(settings, { body, life, log, files, closers });
    for (const place of body.listening) if (!wantsMaster(settings)) logger.info(place, 'listening');
    const url = body.listening.find(({ setting }) => setting === 'http')?.url;
    if (url) say(`Genkan is at ${url}`);
    notifier.ready();
    closers.push(keepStatus(life, notifier));
    return await signals.obey(life, logger, ended.promise);
  } catch (error) {
    life.kill();
    throw error;
  } finally {
    for (const close of [...closers.reverse(), () => body.close(), () => notifier.close()]) await closing(close, log);
  }
};

/** What cannot be removed (a file on a disk that is read-only by now) keeps nothing else from being closed. */
const closing = async (close: () => unknown, { logger }: Log): Promise<void> => {
  try {
    await close();
  } catch (error) {
    logger.error({ err: error }, 'not everything could be removed at the end');
  }
};

const passedTo = (settings: Settings, { logger }: Log): ListenEndpoint[] => {
  const passed = activatedEndpoints(process.env, settings);
  if ('faults' in passed) throw new Error(passed.faults.join('\n'));
  for (const setting of new Set(passed.places.map((place) => place.setting)))
    logger.info(
      { setting, configured: settings[setting].length },
      'systemd passed sockets: they replace the addresses',
    );
  return passed.places;
};

const warn = (settings: Settings, { logger }: Log): void => {
  const backlog = backlogWarning(settings.listen);
  if (backlog !== undefined) logger.warn({ listen: settings.listen }, backlog);
  if (isRoot() && settings.uid === undefined && !settings['allow-root'])
    logger.warn({}, 'running as root; give uid, or allow-root if this is meant');
};

/** Binds everything, becomes the user of the settings, and then serves. */
const embody = async (
  settings: Settings,
  passed: ListenEndpoint[],
  reload: () => Read,
  log: Log,
): Promise<ServerInstance> => {
  const checked = (read: Read) => {
    if ('faults' in read) return read;
    const faults = impossibleToRun(read.settings, passed);
    const plan = planEndpoints(read.settings, passed);
    return faults.length > 0 || 'faults' in plan ? { faults } : { settings: read.settings, plan: plan.workers };
  };
  const first = checked({ settings });
  if ('faults' in first) throw new Error(first.faults.join('\n'));
  const identity = identityOf(settings.uid, settings.gid);
  const bound = () => identity && dropPrivileges(identity);
  // Only one of the two is needed, and the supervisor is better off without the whole web framework in its memory.
  if (wantsMaster(settings)) {
    const { startMultiProcess: supervised } = await import('./multi-process.ts');
    return supervised(first, log, () => checked(reload()), bound);
  }
  const { startSingleProcess: single } = await import('./single-process.ts');
  return single(settings, log, first.plan.flat(), bound);
};

/** systemd hears of what the life goes through, and `ended` of its end, whoever asked for it. */
const announced = (
  life: ServerControl,
  notifier: Notifier,
  { logger }: Log,
  ended: (code: number) => void,
): ServerControl => ({
  async reload() {
    notifier.reloading();
    const outcome = await life.reload();
    notifier.ready();
    return outcome;
  },
  async stop() {
    notifier.stopping();
    await life.stop();
    ended(0);
  },
  kill() {
    life.kill();
    ended(1);
  },
  get paused() {
    return life.paused;
  },
  set paused(wanted) {
    life.paused = wanted;
    logger.info({ paused: wanted }, wanted ? 'paused: new rooms are refused' : 'new rooms are taken again');
  },
  reopen: () => life.reopen(),
  status: () => life.status(),
  count: () => life.count(),
});

/** `closers` gets what closes each of them. */
type Surroundings = {
  body: ServerInstance;
  life: ServerControl;
  log: Log;
  files: Record<'reload' | 'logs', ReturnType<typeof watchTouched>>;
  closers: (() => unknown)[];
};

/** What stands around the server: control socket, statistics, touched files, pidfile. */
const surround = async (settings: Settings, { body, life, log, files, closers }: Surroundings): Promise<void> => {
  const { logger } = log;
  const path = settings['control-socket'];
  if (path !== undefined) {
    const control = await openControl(path, life, logger);
    closers.push(control.close);
  }
  const stats = await serveStats(settings, body.readings, body);
  closers.push(stats.stop);
  for (const place of stats.listening) logger.info(place, 'listening');
  const reload = (file: string) => {
    logger.info({ file }, 'touched');
    void life.reload();
  };
  closers.push(files.reload(reload), files.logs(life.reopen));
  if (settings.pidfile !== undefined) closers.push(writePidfile(settings.pidfile));
};

const keepStatus = (life: ServerControl, notifier: Notifier): (() => void) => {
  const show = () => {
    const { rooms, peers } = life.count();
    notifier.status(`${rooms} rooms, ${peers} peers${life.paused ? ', no new rooms' : ''}`);
  };
  show();
  const timer = setInterval(show, statusInterval);
  return () => clearInterval(timer);
};
