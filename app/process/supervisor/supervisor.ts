/** Keeps the workers running: starts them, respawns who dies, replaces them one after the other, and ends them. */
import { randomKey } from '../../auth/session.ts';
import type { Settings } from '../../config/schema.ts';
import type { Log } from '../lifecycle.ts';
import { defaultRestartPolicy, type RestartPolicy } from './restart-policy.ts';
import { checkWorker, isOfMemory, processState, type Verdict } from './watchdog.ts';
import { type Assignment, type BoundEndpoint, type Command, type Exit, WorkerHandle } from './worker-handle.ts';
import { countEnd, hasToGo, newSlot, transferState, type WorkerEnd, type WorkerSlot } from './worker-slot.ts';

/** What workers are to be: one for each list of places. */
export type Plan = { settings: Settings; places: BoundEndpoint[][] };

/** Seconds that a worker beyond its hard limit of memory has to say good-bye. */
const evilGrace = 2;

export class Supervisor {
  /** Resolves with why, once workers die faster than it makes sense to start them. */
  readonly gaveUp: Promise<string>;
  readonly #slots = new Map<number, WorkerSlot>();
  readonly #workers = new Set<WorkerHandle>();
  readonly #command: Command;
  readonly #environment: NodeJS.ProcessEnv;
  readonly #log: Log;
  readonly #pace: RestartPolicy;
  /** Outlives the workers, who know by it whom they knew. */
  readonly #sessionKey = randomKey();
  #settings: Settings;
  #accepting = true;
  #stopping = false;
  #looks: NodeJS.Timeout | undefined;
  #lastLook = 0;
  #lastMemory = 0;
  /** Workers whose replacement was decided already. */
  readonly #due = new WeakSet<WorkerHandle>();
  /** Replacements wait for each other. */
  #turn: Promise<unknown> = Promise.resolve();
  #giveUp: (why: string) => void = () => {};

  constructor(
    plan: Plan,
    options: { command: Command; environment: NodeJS.ProcessEnv; log: Log; pace?: Partial<RestartPolicy> },
  ) {
    this.#settings = plan.settings;
    this.#command = options.command;
    this.#environment = options.environment;
    this.#log = options.log;
    this.#pace = { ...defaultRestartPolicy, ...options.pace };
    this.gaveUp = new Promise((resolve) => {
      this.#giveUp = resolve;
    });
    this.#assign(plan);
  }

  /** Resolves when all listen. @throws when one cannot; none is left then */
  async start(): Promise<void> {
    const started = await Promise.allSettled([...this.#slots.values()].map((slot) => this.#replace(slot)));
    const failed = started.find((outcome) => outcome.status === 'rejected');
    if (failed) {
      this.kill();
      throw failed.reason;
    }
    this.#looks = setInterval(() => this.#look(performance.now()), this.#pace.look);
  }

  get workers(): { number: number; respawns: number; hung: number; process: WorkerHandle | undefined }[] {
    return [...this.#slots].map(([number, { respawns, hung, current }]) => ({
      number,
      respawns,
      hung,
      process: current,
    }));
  }

  /** Every place that a worker has or may be respawned with. */
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
   * Replaces the workers one after the other, each once its successor listens, and makes them more or fewer.
   * @throws when a successor cannot start: its predecessor serves on, and those not yet replaced as well
   */
  roll(plan: Plan): Promise<void> {
    return this.#inTurn(async () => {
      const before = new Map([...this.#slots].map(([number, slot]) => [number, slot.assignment]));
      this.#assign(plan);
      try {
        for (const slot of this.#slots.values()) await this.#replace(slot);
      } catch (error) {
        for (const [number, slot] of this.#slots) this.#takeBack(slot, before.get(number));
        throw error;
      }
      for (const [number, slot] of this.#slots) if (number > plan.places.length) await this.#remove(number, slot);
      this.#settings = plan.settings;
    });
  }

  /** Lets every worker drain; resolves when all are gone. @param delay seconds that they are not ready but still serve */
  async stop(delay: number): Promise<void> {
    this.#stopping = true;
    clearInterval(this.#looks);
    for (const slot of this.#slots.values()) clearTimeout(slot.wait);
    await Promise.all([...this.#workers].map((worker) => worker.drain(this.#settings['drain-timeout'], { delay })));
  }

  /** Lets every worker open its log file anew. */
  reopen(): void {
    for (const worker of this.#workers) worker.reopen();
  }

  /** Ends all at once; nobody is respawned any more. */
  kill(): void {
    this.#stopping = true;
    for (const worker of this.#workers) worker.kill();
  }

  #assign({ settings, places }: Plan): void {
    const beat = Math.min(1000, (settings['loop-harakiri'] * 1000) / 4 || 1000);
    const own = { ...settings, 'session-key': settings['session-key'] ?? this.#sessionKey };
    for (const [index, held] of places.entries()) {
      const worker = index + 1;
      const assignment = { worker, of: places.length, settings: own, places: held, beat, accepting: this.#accepting };
      const slot = this.#slots.get(worker);
      if (slot) slot.assignment = assignment;
      else this.#slots.set(worker, newSlot(assignment));
    }
  }

  /** After a roll that failed: a slot is what its worker is, and a slot that never had one is no more. */
  #takeBack(slot: WorkerSlot, before: Assignment | undefined): void {
    const { worker } = slot.assignment;
    if (!before && !slot.current) this.#slots.delete(worker);
    else if (before && slot.current?.assignment !== slot.assignment) slot.assignment = before;
  }

  async #remove(number: number, slot: WorkerSlot): Promise<void> {
    this.#slots.delete(number);
    clearTimeout(slot.wait);
    await this.#retire(slot.current);
  }

  /** The successor listens first; then the predecessor drains. */
  async #replace(slot: WorkerSlot): Promise<void> {
    await this.#retire(await this.#fill(slot));
  }

  async #retire(old: WorkerHandle | undefined): Promise<void> {
    if (!old || old.state === 'gone') return;
    this.#log.info({ worker: old.number, pid: old.pid }, 'worker drains');
    await old.drain(this.#settings['drain-timeout']);
  }

  /**
   * Starts a worker for the slot and makes it the one that serves.
   * @returns the one that did until now
   * @throws when it does not come to listen
   */
  async #fill(slot: WorkerSlot): Promise<WorkerHandle | undefined> {
    if (this.#stopping) throw new Error('stopping');
    clearTimeout(slot.wait);
    const old = slot.current;
    const inherits = slot.legacy !== undefined || old?.state === 'listening';
    const worker = new WorkerHandle(this.#command, slot.assignment, this.#environment, inherits);
    slot.next = worker;
    this.#workers.add(worker);
    worker.exited.then((exit) => this.#ended(slot, worker, exit));
    try {
      if (inherits) await transferState(slot, old, worker, this.#pace, this.#log);
      const listening = await worker.inTime(worker.listening, this.#pace.start);
      if (this.#slots.get(worker.number) !== slot) throw new Error('it is not needed any more');
      for (const place of listening) this.#log.info({ worker: worker.number, pid: worker.pid, ...place }, 'listening');
      slot.current = worker;
      slot.served = true;
      slot.legacy = undefined;
      return old;
    } catch (error) {
      worker.kill();
      const { unstartable } = await worker.exited;
      if (slot.next === worker) slot.next = undefined;
      // Who has given up its rooms serves nobody any more; the next one gets them.
      if (slot.legacy) old?.kill();
      // Its predecessor may have ended meanwhile, and was not missed as long as there was a successor.
      if (slot.served && !slot.current && !slot.next) this.#respawn(slot, { lived: 0, ordered: false, unstartable });
      const reason = error instanceof Error ? error.message : String(error);
      throw new Error(`worker ${worker.number}: ${reason}`, { cause: error });
    } finally {
      if (slot.next === worker) slot.next = undefined;
    }
  }

  #ended(slot: WorkerSlot, worker: WorkerHandle, { code, signal }: Exit): void {
    this.#workers.delete(worker);
    const { number, pid } = worker;
    const lived = Math.round(performance.now() - worker.since);
    const ordered = worker.askedToEnd || this.#stopping;
    this.#log[ordered ? 'info' : 'error']({ worker: number, pid, code, signal, lived }, 'worker ended');
    if (slot.current !== worker) return;
    slot.current = undefined;
    // Who was asked to end, or has a successor on the way, is not missed.
    if (!slot.next) this.#respawn(slot, { lived, ordered });
  }

  /** Starts the slot's next worker after a while that grows with every fast death. */
  #respawn(slot: WorkerSlot, end: WorkerEnd): void {
    const { worker } = slot.assignment;
    if (this.#stopping || this.#slots.get(worker) !== slot) return;
    const { fast, deaths } = this.#pace;
    const wait = countEnd(slot, end, this.#pace);
    if (wait === 'give up') {
      this.#giveUp(`worker ${worker} died ${deaths} times in a row within ${fast / 1000} s of its start`);
      return;
    }
    slot.respawns += 1;
    this.#log.warn({ worker, wait }, 'worker is respawned');
    clearTimeout(slot.wait);
    slot.wait = setTimeout(() => {
      this.#replace(slot).catch((error: unknown) => {
        if (!this.#stopping) this.#log.error({ err: error, worker }, 'worker could not be respawned');
      });
    }, wait);
  }

  #look(now: number): void {
    // After a sleep of this process itself, everybody seems to have been silent.
    const overslept = now - this.#lastLook > 4 * this.#pace.look;
    this.#lastLook = now;
    const weighs = now - this.#lastMemory >= this.#pace.memory;
    if (weighs) this.#lastMemory = now;
    for (const slot of this.#slots.values()) {
      const { current } = slot;
      if (current?.state !== 'listening' || slot.next || this.#due.has(current)) continue;
      if (overslept) current.heard = now;
      const rss = weighs ? current.beat.rss : 0;
      const spread = (current.number - 1) / this.#slots.size;
      const { since, heard, baseline } = current;
      const verdict = checkWorker(this.#settings, { since, heard, rss, baseline }, now, spread);
      if (weighs && !isOfMemory(verdict)) slot.large = undefined;
      if (verdict) this.#obey(slot, current, verdict, now);
    }
  }

  #obey(slot: WorkerSlot, worker: WorkerHandle, verdict: Verdict, now: number): void {
    if (!isOfMemory(verdict)) return this.#carryOut(slot, worker, verdict);
    const isNew = slot.large !== worker;
    if (hasToGo(slot, worker, verdict, now, this.#pace)) return this.#carryOut(slot, worker, verdict);
    const { number, pid } = worker;
    if (isNew)
      this.#log.warn({ worker: number, pid, limit: verdict.limit }, `worker lets go of memory: ${verdict.reason}`);
    worker.shed();
  }

  #carryOut(slot: WorkerSlot, worker: WorkerHandle, verdict: Verdict): void {
    const { number, pid, beat } = worker;
    const state = pid === undefined ? undefined : processState(pid);
    this.#log.warn({ worker: number, pid, limit: verdict.limit, beat, state }, `worker is replaced: ${verdict.reason}`);
    if (verdict.do === 'kill') {
      slot.hung += 1;
      return worker.kill();
    }
    if (verdict.do === 'end') {
      void worker.drain(evilGrace, { mercy: 0 });
      return;
    }
    this.#due.add(worker);
    this.#inTurn(async () => {
      if (slot.current === worker && !this.#stopping) await this.#replace(slot);
    }).catch((error: unknown) => {
      this.#log.error({ err: error, worker: number }, 'worker could not be replaced, and serves on');
      setTimeout(() => this.#due.delete(worker), this.#pace.again).unref();
    });
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#turn.then(work);
    this.#turn = done.catch(() => {});
    return done;
  }
}
