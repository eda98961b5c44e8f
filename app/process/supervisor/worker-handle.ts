/** The supervisor's handle of one worker, a child process: starting, listening, draining, gone. */
import { type ChildProcess, fork } from 'node:child_process';
import { showAddress } from '../../config/address.ts';
import type { Settings } from '../../config/schema.ts';
import type { ListenEndpoint } from '../bind-plan.ts';
import type { BoundSocket } from './bind-socket.ts';
import { type Beat, fromWorker, type Listening, monotonic, portable, type ToWorker, tell } from './ipc.ts';
import type { RestartPolicy } from './restart-policy.ts';

/** How workers are started: `module` and `words` are a command line that leads to `runWorker()`. */
export type Command = { module: string; words: string[]; cwd: string };
/** The command `worker` of this program, at its path rather than in memory, so that a reload picks up new code. */
export const workerCommand = (): Command => ({
  module: process.argv[1] ?? '',
  words: ['worker'],
  cwd: process.cwd(),
});

export type BoundEndpoint = ListenEndpoint & { held: BoundSocket };
/** `beat`: ms between heartbeats. */
export type Assignment = {
  worker: number;
  of: number;
  settings: Settings;
  places: BoundEndpoint[];
  beat: number;
  accepting: boolean;
};
/** `unstartable`: why no process could be started. */
export type Exit = { code: number | null; signal: NodeJS.Signals | null; unstartable?: string };
/** State received from a predecessor, and whether it is complete; `kept`: it did not begin in time and keeps serving. */
type Left = { parts: unknown[]; whole: boolean } | 'kept';
type WorkerState = 'starting' | 'listening' | 'draining' | 'gone';

/** After stdin, stdout, stderr and the IPC channel. */
const firstFd = 4;
/** ms beyond the drain timeout before a worker is killed. */
const defaultMercy = 2000;
/** ms for a message of a worker to arrive. */
const messageDelay = 1000;
/** ms for a worker to report; a hung worker must not block the statistics of the others. */
const reportTimeout = 1000;

export class WorkerHandle {
  readonly number: number;
  readonly assignment: Assignment;
  readonly since = performance.now();
  /** Settles with the addresses it listens on, or with why it does not. */
  readonly listening: Promise<Listening[]>;
  /** For a successor: settles when it is ready for its predecessor's state, or with the reason why it is not. */
  readonly ready: Promise<void>;
  readonly exited: Promise<Exit>;
  listens: Listening[] = [];
  beat: Beat = { type: 'beat', rss: 0, lag: 0, rooms: 0, peers: 0 };
  /** Time of the last message, on the clock of performance.now(). */
  heard = performance.now();
  /** Its memory in bytes just after its start; 0 until the first beat. */
  baseline = 0;
  /** Whether the supervisor requested its end. */
  askedToEnd = false;
  #state: WorkerState = 'starting';
  #lastReportId = 0;
  /** State for its successor, part by part. */
  readonly #parts: unknown[] = [];
  /** Called with the type of each message of a hand-over. */
  #onHandOver: (type: 'hands-over' | 'part' | 'parts-end') => void = () => {};
  readonly #isReady = Promise.withResolvers<void>();
  readonly #reports = new Map<number, (report: unknown) => void>();
  readonly #child: ChildProcess;

  /**
   * @param environment of the worker: without the variables that systemd addressed to the supervisor only
   * @param successor whether it takes over from another worker: it listens once it has received that worker's state
   */
  constructor(command: Command, assignment: Assignment, environment: NodeJS.ProcessEnv, successor = false) {
    this.number = assignment.worker;
    this.assignment = assignment;
    const { places } = assignment;
    this.#child = fork(command.module, [...command.words, `${assignment.worker}`], {
      cwd: command.cwd,
      env: environment,
      stdio: ['ignore', 'inherit', 'inherit', 'ipc', ...places.map(({ held }) => held.fd)],
    });
    this.exited = new Promise((resolve) => {
      const onGone = (exit: Exit): void => {
        this.#state = 'gone';
        resolve(exit);
      };
      this.#child.once('exit', (code, signal) => onGone({ code, signal }));
      // A process that failed to spawn emits no `exit`.
      this.#child.on('error', ({ message }) => {
        if (this.#child.pid === undefined) onGone({ code: null, signal: null, unstartable: message });
      });
    });
    this.listening = this.#untilListening();
    // When it is killed while starting, nothing may await these: the rejection must not count as unhandled.
    this.listening.catch(() => {});
    this.ready = Promise.race([this.#isReady.promise, this.listening.then(() => {})]);
    this.ready.catch(() => {});
    const given = places.map(({ setting, held }, index) => ({
      setting,
      address: showAddress(held.address),
      fd: firstFd + index,
    }));
    this.#send({
      ...assignment,
      type: 'start',
      heir: successor,
      settings: portable(assignment.settings),
      places: given,
    });
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  get state(): WorkerState {
    return this.#state;
  }

  /** Its statistics, as received; rejects when it does not respond in time. */
  report(): Promise<unknown> {
    this.#lastReportId += 1;
    const id = this.#lastReportId;
    return new Promise((resolve, reject) => {
      const late = setTimeout(() => {
        this.#reports.delete(id);
        reject(new Error(`worker ${this.number} did not report in time`));
      }, reportTimeout);
      this.#reports.set(id, (report) => {
        clearTimeout(late);
        this.#reports.delete(id);
        resolve(report);
      });
      this.#send({ type: 'report', id });
    });
  }

  /** JSON-serializable; `rss` in bytes, `lag` in ms, `uptime` in seconds. */
  status(): object {
    const { type, ...beat } = this.beat;
    const uptime = Math.round((performance.now() - this.since) / 1000);
    return { pid: this.pid, state: this.#state, uptime, ...beat, listening: this.listens };
  }

  /** Tells it to reopen its log file. */
  reopen(): void {
    this.#send({ type: 'reopen' });
  }

  accept(rooms: boolean): void {
    this.#send({ type: 'accept', rooms });
  }

  /** Tells it to free memory that is not essential. */
  shed(): void {
    this.#send({ type: 'shed' });
  }

  /**
   * Tells it to disconnect all clients and hand over its rooms. A worker whose event loop is blocked may begin late, so the order
   * expires at a deadline. A hand-over that has begun cannot be undone: it is awaited as long as rooms keep arriving.
   */
  handOver({ handOver, nextRoom }: Pick<RestartPolicy, 'handOver' | 'nextRoom'>): Promise<Left> {
    this.#send({ type: 'hand-over', until: monotonic() + handOver });
    return new Promise((resolve) => {
      const settle = (left: Left): void => {
        clearTimeout(late);
        resolve(left);
      };
      const settlePartly = () => settle({ parts: this.#parts, whole: false });
      // If this process itself was blocked, messages may be waiting: give them time before deciding.
      let late = setTimeout(() => {
        late = setTimeout(() => settle('kept'), messageDelay);
      }, handOver);
      this.#onHandOver = (type) => {
        clearTimeout(late);
        if (type === 'parts-end') settle({ parts: this.#parts, whole: true });
        else late = setTimeout(settlePartly, nextRoom);
      };
      this.exited.then(settlePartly);
    });
  }

  /** Kills it unless the promise settles in time. @throws what the promise rejects with, also after the kill */
  async inTime<T>(promise: Promise<T>, ms: number): Promise<T> {
    const late = setTimeout(() => this.kill(), ms);
    try {
      return await promise;
    } finally {
      clearTimeout(late);
    }
  }

  /** Sends a successor its predecessor's state; then it starts listening. */
  inherit(parts: unknown[]): void {
    for (const part of parts) this.#send({ type: 'part', part });
    this.#send({ type: 'parts-end' });
  }

  /** Tells it to drain and exit; kills it after the timeout and `mercy` ms more. Resolves when it has exited. */
  async drain(seconds: number, { delay = 0, mercy = defaultMercy } = {}): Promise<Exit> {
    this.askedToEnd = true;
    if (this.#state === 'starting') this.kill();
    else if (this.#state !== 'gone') this.#state = 'draining';
    this.#send({ type: 'drain', seconds, delay });
    const late = setTimeout(() => this.kill(), (seconds + delay) * 1000 + mercy);
    const exit = await this.exited;
    clearTimeout(late);
    return exit;
  }

  /** SIGKILL, which also works when it hangs. */
  kill(): void {
    this.askedToEnd = true;
    this.#child.kill('SIGKILL');
  }

  #untilListening(): Promise<Listening[]> {
    return new Promise((resolve, reject) => {
      this.exited.then(({ code, signal, unstartable }) =>
        reject(new Error(unstartable ?? `it ended with ${signal ?? `code ${code}`}`)),
      );
      this.#child.on('message', (text) => {
        this.heard = performance.now();
        const checked = fromWorker.safeParse(text);
        // A worker of a newer release may send unknown messages.
        if (!checked.success) return;
        const message = checked.data;
        if (message.type === 'beat') {
          this.beat = message;
          this.baseline ||= message.rss;
        }
        if (message.type === 'report') this.#reports.get(message.id)?.(message.report);
        if (message.type === 'ready') this.#isReady.resolve();
        if (message.type === 'part') this.#parts.push(message.part);
        if (message.type === 'hands-over' || message.type === 'part' || message.type === 'parts-end')
          this.#onHandOver(message.type);
        if (message.type === 'failed') reject(new Error(message.reason));
        if (message.type !== 'listening') return;
        if (this.#state === 'starting') this.#state = 'listening';
        this.listens = message.listening;
        resolve(message.listening);
      });
    });
  }

  #send(message: ToWorker): void {
    tell(this.#child, message);
  }
}
