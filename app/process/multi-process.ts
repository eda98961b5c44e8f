/** The server as a supervisor with its workers: holds the sockets, changes the workers over, and answers for all of them. */
import { accessSync, constants } from 'node:fs';
import type { Settings } from '../config/schema.ts';
import type { Log } from '../logging/logger.ts';
import { aggregateStats } from '../stats/aggregate.ts';
import type { ListenEndpoint } from './bind-plan.ts';
import type { Outcome, ServerControl } from './lifecycle.ts';
import { listenOptions } from './listen.ts';
import type { ServerInstance } from './run.ts';
import { BoundSockets } from './supervisor/bound-sockets.ts';
import { Supervisor } from './supervisor/supervisor.ts';
import { workerCommand } from './supervisor/worker-handle.ts';
import { withoutSystemd } from './systemd-notify.ts';

/** Settings, and for each worker the places it listens on. */
export type Planned = { settings: Settings; plan: ListenEndpoint[][] };
/** Reads the settings again, checks and plans them. */
export type Next = () => Planned | { faults: string[] };

/** Settings that are looked at only when the supervisor itself starts. */
const fixed = [
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
 * @param bound called once everything is bound, before any worker is there
 * @throws when an address cannot be had or a worker cannot start; nothing is left running then
 */
export const startMultiProcess = async (
  { settings, plan }: Planned,
  log: Log,
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
    return bodyOf(supervisor, sockets, settings, next, log, close);
  } catch (error) {
    close();
    throw error;
  }
};

const bodyOf = (
  supervisor: Supervisor,
  sockets: BoundSockets,
  settings: Settings,
  next: Next,
  log: Log,
  close: () => void,
): ServerInstance => {
  const life = new SupervisedLife(supervisor, sockets, settings, next, log);
  return {
    life,
    listening: supervisor.workers.flatMap(({ process: worker }) => worker?.listens ?? []),
    readings: aggregateStats(supervisor),
    ready: () => !life.stopping && supervisor.workers.every(({ process: worker }) => worker?.state === 'listening'),
    ended: supervisor.gaveUp.then(async (reason) => {
      log.logger.error({ reason }, 'giving up');
      await life.stop();
      return 1;
    }),
    close,
  };
};

class SupervisedLife implements ServerControl {
  readonly #supervisor: Supervisor;
  readonly #sockets: BoundSockets;
  readonly #next: Next;
  readonly #log: Log;
  readonly #since = performance.now();
  #settings: Settings;
  #stopping: Promise<void> | undefined;
  /** Reloads wait for each other. */
  #turn: Promise<unknown> = Promise.resolve();

  constructor(supervisor: Supervisor, sockets: BoundSockets, settings: Settings, next: Next, log: Log) {
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
    // The workers' own are the last ones: once they close them, nobody waits in a queue that is never served.
    this.#sockets.close();
    return this.#stopping;
  };

  readonly kill = (): void => this.#supervisor.kill();

  readonly reload = async (): Promise<Outcome> => {
    const { logger } = this.#log;
    const mine = this.#turn.then(() => this.#changeOver());
    this.#turn = mine;
    const outcome = await mine;
    if (outcome.ok) logger.info({ workers: this.#supervisor.workers.length }, 'reloaded');
    else logger.error({ reason: outcome.reason }, 'not reloaded; what was there serves on');
    return outcome;
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

  async #changeOver(): Promise<Outcome> {
    if (this.stopping) return { ok: false, reason: 'it is stopping' };
    try {
      const read = this.#next();
      if ('faults' in read) return { ok: false, reason: read.faults.join('\n') };
      this.#tellFixed(read.settings);
      const places = await this.#sockets.cover(read.plan, listenOptions(read.settings));
      await this.#supervisor.roll({ settings: read.settings, places });
      this.#settings = read.settings;
      this.#log.logger.level = read.settings['log-level'];
      return { ok: true };
    } catch (error) {
      return { ok: false, reason: error instanceof Error ? error.message : String(error) };
    } finally {
      if (!this.stopping) this.#sockets.keepOnly(this.#supervisor.places);
    }
  }

  #tellFixed(wanted: Settings): void {
    for (const setting of fixed)
      if (JSON.stringify(wanted[setting]) !== JSON.stringify(this.#settings[setting]))
        this.#log.logger.warn({ setting }, 'a reload does not change this setting; restart for it');
  }
}
