/** Keeps the workers running: starts, respawns, replaces (one after the other) and stops them. */
import { randomKey } from '../../auth/session.ts';
import { messageOf } from '../../config/result.ts';
import type { Settings } from '../../config/schema.ts';
import type { LeveledLogger } from '../lifecycle.ts';
import { defaultRestartPolicy, type RestartPolicy } from './restart-policy.ts';
import { checkWorker, isOfMemory, processState, type Verdict } from './watchdog.ts';
import { type Assignment, type BoundEndpoint, type Command, type Exit, WorkerHandle } from './worker-handle.ts';
import { countEnd, hasToGo, newSlot, transferState, type WorkerEnd, type WorkerSlot } from './worker-slot.ts';

/** The workers to run: one for each list of endpoints. */
type Plan = { settings: Settings; places: BoundEndpoint[][] };

/** Seconds that a worker beyond its hard memory limit has to drain. */
const evilGrace = 2;

export class Supervisor {
  /** Resolves with the reason once workers die too fast to keep restarting them. */
  readonly gaveUp: Promise<string>;
  readonly #slots = new Map<number, WorkerSlot>();
  readonly #workers = new Set<WorkerHandle>();
  readonly #command: Command;
  readonly #environment: NodeJS.ProcessEnv;
  readonly #log: LeveledLogger;
  readonly #policy: RestartPolicy;
  /** Kept across workers, so that a respawned worker recognizes the sessions of the previous one. */
  readonly #sessionKey = randomKey();
  #settings: Settings;
  #accepting = true;
  #stopping = false;
  #checkTimer: NodeJS.Timeout | undefined;
  #lastCheck = 0;
  #lastMemoryCheck = 0;
  /** Workers already scheduled for replacement. */
  readonly #due = new WeakSet<WorkerHandle>();
  /** Serializes replacements. */
  #turn: Promise<unknown> = Promise.resolve();
  #giveUp: (reason: string) => void = () => {};

  constructor(
    plan: Plan,
    options: { command: Command; environment: NodeJS.ProcessEnv; log: LeveledLogger; pace?: Partial<RestartPolicy> },
  ) {
    this.#settings = plan.settings;
    this.#command = options.command;
    this.#environment = options.environment;
    this.#log = options.log;
    this.#policy = { ...defaultRestartPolicy, ...options.pace };
    this.gaveUp = new Promise((resolve) => {
      this.#giveUp = resolve;
    });
    this.#assign(plan);
  }

  /** Resolves when all workers listen. @throws when one cannot; all are killed then */
  async start(): Promise<void> {
    const started = await Promise.allSettled([...this.#slots.values()].map((slot) => this.#replace(slot)));
    const failed = started.find((outcome) => outcome.status === 'rejected');
    if (failed) {
      this.kill();
      throw failed.reason;
    }
    this.#checkTimer = setInterval(() => this.#check(performance.now()), this.#policy.look);
  }

  get workers(): { number: number; respawns: number; hung: number; process: WorkerHandle | undefined }[] {
    return [...this.#slots].map(([number, { respawns, hung, current }]) => ({
      number,
      respawns,
      hung,
      process: current,
    }));
  }

  /** Every endpoint that a worker has or may be respawned with. */
  get places(): BoundEndpoint[] {
    return [...this.#slots.values()].flatMap(({ assignment }) => assignment.places);
  }

  get accepting(): boolean {
    return this.#accepting;
  }

  /** Whether new rooms may be opened. */
  set accepting(rooms: boolean) {
    this.#accepting = rooms;
    for (const slot of this.#slots.values()) slot.assignment.accepting = rooms;
    for (const worker of this.#workers) worker.accept(rooms);
  }

  /**
   * Replaces the workers one after the other, each once its successor listens, and adjusts their number.
   * @throws when a successor cannot start: its predecessor and the workers not yet replaced keep running
   */
  roll(plan: Plan): Promise<void> {
    return this.#inTurn(async () => {
      const before = new Map([...this.#slots].map(([number, slot]) => [number, slot.assignment]));
      this.#assign(plan);
      try {
        for (const slot of this.#slots.values()) await this.#replace(slot);
      } catch (error) {
        for (const [number, slot] of this.#slots) this.#restoreAssignment(slot, before.get(number));
        throw error;
      }
      for (const [number, slot] of this.#slots) if (number > plan.places.length) await this.#remove(number, slot);
      this.#settings = plan.settings;
    });
  }

  /** Drains every worker; resolves when all have exited. @param delay seconds for which they are not ready but still serve */
  async stop(delay: number): Promise<void> {
    this.#stopping = true;
    clearInterval(this.#checkTimer);
    for (const slot of this.#slots.values()) clearTimeout(slot.wait);
    await Promise.all([...this.#workers].map((worker) => worker.drain(this.#settings['drain-timeout'], { delay })));
  }

  /** Tells every worker to reopen its log file. */
  reopen(): void {
    for (const worker of this.#workers) worker.reopen();
  }

  /** Kills all workers; none is respawned. */
  kill(): void {
    this.#stopping = true;
    for (const worker of this.#workers) worker.kill();
  }

  #assign({ settings, places }: Plan): void {
    const beat = Math.min(1000, (settings['loop-harakiri'] * 1000) / 4 || 1000);
    const workerSettings = { ...settings, 'session-key': settings['session-key'] ?? this.#sessionKey };
    for (const [index, endpoints] of places.entries()) {
      const worker = index + 1;
      const assignment = {
        worker,
        of: places.length,
        settings: workerSettings,
        places: endpoints,
        beat,
        accepting: this.#accepting,
      };
      const slot = this.#slots.get(worker);
      if (slot) slot.assignment = assignment;
      else this.#slots.set(worker, newSlot(assignment));
    }
  }

  /** After a failed roll: a slot gets the assignment of its running worker, and a new slot without a worker is removed. */
  #restoreAssignment(slot: WorkerSlot, before: Assignment | undefined): void {
    const { worker } = slot.assignment;
    if (!before && !slot.current) this.#slots.delete(worker);
    else if (before && slot.current?.assignment !== slot.assignment) slot.assignment = before;
  }

  async #remove(number: number, slot: WorkerSlot): Promise<void> {
    this.#slots.delete(number);
    clearTimeout(slot.wait);
    await this.#retire(slot.current);
  }

  /** Starts the successor, then drains the predecessor. */
  async #replace(slot: WorkerSlot): Promise<void> {
    await this.#retire(await this.#fill(slot));
  }

  async #retire(old: WorkerHandle | undefined): Promise<void> {
    if (!old || old.state === 'gone') return;
    this.#log.info({ worker: old.number, pid: old.pid }, 'worker drains');
    await old.drain(this.#settings['drain-timeout']);
  }

  /**
   * Starts a worker for the slot and makes it the current one.
   * @returns the previous current worker
   * @throws when it does not start listening
   */
  async #fill(slot: WorkerSlot): Promise<WorkerHandle | undefined> {
    if (this.#stopping) throw new Error('stopping');
    clearTimeout(slot.wait);
    const old = slot.current;
    const hasPredecessor = slot.pendingState !== undefined || old?.state === 'listening';
    const worker = new WorkerHandle(this.#command, slot.assignment, this.#environment, hasPredecessor);
    slot.next = worker;
    this.#workers.add(worker);
    worker.exited.then((exit) => this.#onExit(slot, worker, exit));
    try {
      if (hasPredecessor) await transferState(slot, old, worker, this.#policy, this.#log);
      const listening = await worker.inTime(worker.listening, this.#policy.start);
      if (this.#slots.get(worker.number) !== slot) throw new Error('it is no longer needed');
      for (const endpoint of listening)
        this.#log.info({ worker: worker.number, pid: worker.pid, ...endpoint }, 'listening');
      slot.current = worker;
      slot.served = true;
      slot.pendingState = undefined;
      return old;
    } catch (error) {
      worker.kill();
      const { unstartable } = await worker.exited;
      if (slot.next === worker) slot.next = undefined;
      // A worker that has handed over its rooms no longer serves clients; the next worker gets the rooms.
      if (slot.pendingState) old?.kill();
      // If the predecessor ended meanwhile, it was not respawned because this successor was starting.
      if (slot.served && !slot.current && !slot.next) this.#respawn(slot, { lived: 0, ordered: false, unstartable });
      const reason = messageOf(error);
      throw new Error(`worker ${worker.number}: ${reason}`, { cause: error });
    } finally {
      if (slot.next === worker) slot.next = undefined;
    }
  }

  #onExit(slot: WorkerSlot, worker: WorkerHandle, { code, signal }: Exit): void {
    this.#workers.delete(worker);
    const { number, pid } = worker;
    const lived = Math.round(performance.now() - worker.since);
    const ordered = worker.askedToEnd || this.#stopping;
    this.#log[ordered ? 'info' : 'error']({ worker: number, pid, code, signal, lived }, 'worker ended');
    if (slot.current !== worker) return;
    slot.current = undefined;
    // A worker whose successor is already starting is not respawned.
    if (!slot.next) this.#respawn(slot, { lived, ordered });
  }

  /** Starts the slot's next worker after a delay that grows with every fast death. */
  #respawn(slot: WorkerSlot, end: WorkerEnd): void {
    const { worker } = slot.assignment;
    if (this.#stopping || this.#slots.get(worker) !== slot) return;
    const { fast, deaths } = this.#policy;
    const wait = countEnd(slot, end, this.#policy);
    if (wait === 'give up') {
      this.#giveUp(`worker ${worker} died ${deaths} times in a row within ${fast / 1000} s of its start`);
      return;
    }
    slot.respawns += 1;
    this.#log.warn({ worker, wait }, 'respawning worker');
    clearTimeout(slot.wait);
    slot.wait = setTimeout(() => {
      this.#replace(slot).catch((error: unknown) => {
        if (!this.#stopping) this.#log.error({ err: error, worker }, 'worker could not be respawned');
      });
    }, wait);
  }

  #check(now: number): void {
    // If this process itself was suspended, all workers seem to have been silent.
    const wasSuspended = now - this.#lastCheck > 4 * this.#policy.look;
    this.#lastCheck = now;
    const checksMemory = now - this.#lastMemoryCheck >= this.#policy.memory;
    if (checksMemory) this.#lastMemoryCheck = now;
    for (const slot of this.#slots.values()) {
      const { current } = slot;
      if (current?.state !== 'listening' || slot.next || this.#due.has(current)) continue;
      if (wasSuspended) current.heard = now;
      const rss = checksMemory ? current.beat.rss : 0;
      const spread = (current.number - 1) / this.#slots.size;
      const { since, heard, baseline } = current;
      const verdict = checkWorker(this.#settings, { since, heard, rss, baseline }, now, spread);
      if (checksMemory && !isOfMemory(verdict)) slot.large = undefined;
      if (verdict) this.#handleVerdict(slot, current, verdict, now);
    }
  }

  #handleVerdict(slot: WorkerSlot, worker: WorkerHandle, verdict: Verdict, now: number): void {
    if (!isOfMemory(verdict)) return this.#carryOut(slot, worker, verdict);
    const isNew = slot.large !== worker;
    if (hasToGo(slot, worker, verdict, now, this.#policy)) return this.#carryOut(slot, worker, verdict);
    const { number, pid } = worker;
    if (isNew) this.#log.warn({ worker: number, pid, limit: verdict.limit }, `worker frees memory: ${verdict.reason}`);
    worker.shed();
  }

  #carryOut(slot: WorkerSlot, worker: WorkerHandle, verdict: Verdict): void {
    const { number, pid, beat } = worker;
    const state = pid === undefined ? undefined : processState(pid);
    this.#log.warn({ worker: number, pid, limit: verdict.limit, beat, state }, `replacing worker: ${verdict.reason}`);
    if (verdict.do === 'kill') {
      slot.hung += 1;
      return worker.kill();
    }
    if (verdict.do === 'end') {
      worker.drain(evilGrace, { mercy: 0 }).catch(() => worker.kill());
      return;
    }
    this.#due.add(worker);
    this.#inTurn(async () => {
      if (slot.current === worker && !this.#stopping) await this.#replace(slot);
    }).catch((error: unknown) => {
      this.#log.error({ err: error, worker: number }, 'worker could not be replaced and keeps running');
      setTimeout(() => this.#due.delete(worker), this.#policy.again).unref();
    });
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#turn.then(work);
    this.#turn = done.catch(() => {});
    return done;
  }
}
