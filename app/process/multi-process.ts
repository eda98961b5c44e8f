/** The server as a supervisor with workers: it owns the sockets, reloads the workers, and reports the status of them all. */
import { accessSync, constants } from 'node:fs';
import { messageOf, type Result } from '../config/result.ts';
import type { Settings } from '../config/schema.ts';
import type { OpenLog } from '../logging/logger.ts';
import { aggregateStats } from '../stats/aggregate.ts';
import type { ListenEndpoint } from './bind-plan.ts';
import type { ServerControl, ServerInstance } from './lifecycle.ts';
import { listenOptions } from './listen.ts';
import { BoundSockets } from './supervisor/bound-sockets.ts';
import { Supervisor } from './supervisor/supervisor.ts';
import { workerCommand } from './supervisor/worker-handle.ts';
import { withoutSystemd } from './systemd-notify.ts';

/** Settings, and for each worker the endpoints it listens on. */
type Planned = { settings: Settings; plan: ListenEndpoint[][] };
/** Reads the settings again, checks them and plans the endpoints. */
type Next = () => Result<Planned>;

/** Settings that are read only when the supervisor itself starts. */
const fixedSettings = [
  'master',
  'chdir',
  'uid',
  'gid',
  'pidfile',
  'control-socket',
  'touch-reload',
  'touch-logreopen',
  'stats',
  'stats-http',
  'logto',
] as const;

/**
 * @param bound called once everything is bound, before any worker starts
 * @throws when an address cannot be bound or a worker cannot start; nothing is left running then
 */
export const startMultiProcess = async (
  { settings, plan }: Planned,
  log: OpenLog,
  next: Next,
  bound: () => void,
): Promise<ServerInstance> => {
  const sockets = new BoundSockets();
  const close = (): void => {
    sockets.close();
    if (settings.vacuum) sockets.remove();
  };
  try {
    const places = await sockets.cover(plan, listenOptions(settings));
    bound();
    if (settings.logto !== undefined) accessSync(settings.logto, constants.W_OK);
    const options = { command: workerCommand(), environment: withoutSystemd(process.env), log: log.logger };
    const supervisor = new Supervisor({ settings, places }, options);
    await supervisor.start();
    return instanceOf(supervisor, sockets, settings, next, log, close);
  } catch (error) {
    close();
    throw error;
  }
};

const instanceOf = (
  supervisor: Supervisor,
  sockets: BoundSockets,
  settings: Settings,
  next: Next,
  log: OpenLog,
  close: () => void,
): ServerInstance => {
  const control = new SupervisorControl(supervisor, sockets, settings, next, log);
  return {
    life: control,
    listening: supervisor.workers.flatMap(({ process: worker }) => worker?.listens ?? []),
    readings: aggregateStats(supervisor),
    ready: () => !control.stopping && supervisor.workers.every(({ process: worker }) => worker?.state === 'listening'),
    ended: supervisor.gaveUp.then(async (reason) => {
      log.logger.error({ reason }, 'giving up');
      await control.stop();
      return 1;
    }),
    close,
  };
};

class SupervisorControl implements ServerControl {
  readonly #supervisor: Supervisor;
  readonly #sockets: BoundSockets;
  readonly #next: Next;
  readonly #log: OpenLog;
  readonly #since = performance.now();
  #settings: Settings;
  #stopping: Promise<void> | undefined;
  /** Serializes reloads. */
  #turn: Promise<unknown> = Promise.resolve();

  constructor(supervisor: Supervisor, sockets: BoundSockets, settings: Settings, next: Next, log: OpenLog) {
    this.#supervisor = supervisor;
    this.#sockets = sockets;
    this.#settings = settings;
    this.#next = next;
    this.#log = log;
  }

  get stopping(): boolean {
    return this.#stopping !== undefined;
  }

  readonly stop = (): Promise<void> => {
    this.#stopping ??= this.#supervisor.stop(this.#settings['drain-delay']);
    // The workers' copies are then the last ones: once those close, no client waits in a queue that is never served.
    this.#sockets.close();
    return this.#stopping;
  };

  readonly kill = (): void => this.#supervisor.kill();

  readonly reload = async (): Promise<Result> => {
    const { logger } = this.#log;
    const reloading = this.#turn
      .then(() => this.#applySettings())
      .catch((error: unknown): Result => ({ faults: [messageOf(error)] }));
    this.#turn = reloading;
    const result = await reloading;
    if ('faults' in result)
      logger.error({ reason: result.faults.join('\n') }, 'reload failed; current workers keep running');
    else logger.info({ workers: this.#supervisor.workers.length }, 'reloaded');
    return result;
  };

  readonly reopen = (): void => {
    this.#log.reopen();
    this.#supervisor.reopen();
  };

  get paused(): boolean {
    return !this.#supervisor.accepting;
  }

  set paused(wanted) {
    this.#supervisor.accepting = !wanted;
  }

  readonly count = () => {
    const beats = this.#supervisor.workers.map(({ process: worker }) => worker?.beat);
    const sum = (name: 'rooms' | 'peers') => beats.reduce((total, beat) => total + (beat?.[name] ?? 0), 0);
    return { rooms: sum('rooms'), peers: sum('peers') };
  };

  readonly status = (): object => ({
    pid: process.pid,
    uptime: Math.round((performance.now() - this.#since) / 1000),
    paused: this.paused,
    ...this.count(),
    workers: this.#supervisor.workers.map(({ number, respawns, hung, process: worker }) => ({
      worker: number,
      respawns,
      hung,
      ...worker?.status(),
    })),
  });

  /** @throws if an address cannot be bound or a worker cannot start */
  async #applySettings(): Promise<Result> {
    if (this.stopping) return { faults: ['the server is stopping'] };
    try {
      const read = this.#next();
      if ('faults' in read) return read;
      this.#warnFixed(read.settings);
      const settings = this.#keepStore(read.settings);
      const places = await this.#sockets.cover(read.plan, listenOptions(settings));
      await this.#supervisor.roll({ settings, places });
      this.#settings = settings;
      this.#log.logger.level = read.settings['log-level'];
      return {};
    } finally {
      if (!this.stopping) this.#sockets.keepOnly(this.#supervisor.places);
    }
  }

  /** Workers hand over to their successors in the directory of the embedded store. */
  #keepStore(wanted: Settings): Settings {
    const { store, 'state-dir': directory } = this.#settings;
    const isSame = wanted.store === store && wanted['state-dir'] === directory;
    if (isSame || (store !== 'embedded' && wanted.store !== 'embedded')) return wanted;
    this.#log.logger.warn(
      { setting: 'store, state-dir' },
      'a reload does not change this setting; restart to apply it',
    );
    return { ...wanted, store, 'state-dir': directory };
  }

  #warnFixed(wanted: Settings): void {
    for (const setting of fixedSettings)
      if (JSON.stringify(wanted[setting]) !== JSON.stringify(this.#settings[setting]))
        this.#log.logger.warn({ setting }, 'a reload does not change this setting; restart to apply it');
  }
}
