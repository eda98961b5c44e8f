/** One worker as its supervisor sees it: a child process that starts, listens, drains and is gone. */
import { type ChildProcess, fork } from 'node:child_process';
import { showAddress } from '../../config/address.ts';
import type { Settings } from '../../config/schema.ts';
import type { ListenEndpoint } from '../bind-plan.ts';
import type { BoundSocket } from './bind-socket.ts';
import { type Beat, fromWorker, type Listening, monotonic, portable, type ToWorker, tell } from './ipc.ts';
import type { RestartPolicy } from './restart-policy.ts';

/** How workers are started: `module` and `words` are a command line that ends up in `work()`. */
export type Command = { module: string; words: string[]; cwd: string };
/** This same program, as its command `worker`: whatever lies at its path by then, so that a reload takes new code. */
export const workerCommand = (): Command => ({
  module: process.argv[1] ?? '',
  words: ['worker'],
  cwd: process.cwd(),
});

export type BoundEndpoint = ListenEndpoint & { held: BoundSocket };
/** `beat`: ms between signs of life. */
export type Assignment = {
  worker: number;
  of: number;
  settings: Settings;
  places: BoundEndpoint[];
  beat: number;
  accepting: boolean;
};
/** `unstartable`: why there never was a process. */
export type Exit = { code: number | null; signal: NodeJS.Signals | null; unstartable?: string };
/** What a predecessor gave, and whether that is all of it; `kept`: nothing, for it did not begin in time and serves on. */
export type Left = { parts: unknown[]; whole: boolean } | 'kept';
type State = 'starting' | 'listening' | 'draining' | 'gone';

/** Files 0 to 2 and the channel come first. */
const firstFd = 4;
/** ms that a worker may take beyond its time to drain before it is killed. */
const usualMercy = 2000;
/** ms for a word of a worker to arrive. */
const travel = 1000;
/** ms for a worker to report; one that hangs does not hold up the others' numbers. */
const reportPatience = 1000;

export class WorkerHandle {
  readonly number: number;
  readonly assignment: Assignment;
  readonly since = performance.now();
  /** Settles once: with where it listens, or with why it does not. */
  readonly listening: Promise<Listening[]>;
  /** Of an heir: settles when it waits for what its predecessor leaves, or with why it does not. */
  readonly ready: Promise<void>;
  readonly exited: Promise<Exit>;
  listens: Listening[] = [];
  beat: Beat = { type: 'beat', rss: 0, lag: 0, rooms: 0, peers: 0 };
  /** Of the last sign of life, on the clock of performance.now(). */
  heard = performance.now();
  /** Bytes that it took when it had just started; 0 until then. */
  baseline = 0;
  /** Its end is its supervisor's doing. */
  askedToEnd = false;
  #state: State = 'starting';
  #asked = 0;
  /** What it leaves to its heir, part by part. */
  readonly #left: unknown[] = [];
  /** Called with each word of handing over. */
  #handsOver: (word: 'hands-over' | 'part' | 'parts-end') => void = () => {};
  readonly #isReady = Promise.withResolvers<void>();
  readonly #reports = new Map<number, (report: unknown) => void>();
  readonly #child: ChildProcess;

  /**
   * @param environment of the worker: without what systemd told its supervisor alone
   * @param heir whether it takes over from another: it listens once it has what that leaves
   */
  constructor(command: Command, assignment: Assignment, environment: NodeJS.ProcessEnv, heir = false) {
    this.number = assignment.worker;
    this.assignment = assignment;
    const { places } = assignment;
    this.#child = fork(command.module, [...command.words, `${assignment.worker}`], {
      cwd: command.cwd,
      env: environment,
      stdio: ['ignore', 'inherit', 'inherit', 'ipc', ...places.map(({ held }) => held.fd)],
    });
    this.exited = new Promise((resolve) => {
      const gone = (exit: Exit): void => {
        this.#state = 'gone';
        resolve(exit);
      };
      this.#child.once('exit', (code, signal) => gone({ code, signal }));
      // A program that cannot be started at all never exits.
      this.#child.on('error', ({ message }) => {
        if (this.#child.pid === undefined) gone({ code: null, signal: null, unstartable: message });
      });
    });
    this.listening = this.#untilListening();
    // Whoever waits hears of it; nobody may, when it is killed while starting.
    this.listening.catch(() => {});
    this.ready = Promise.race([this.#isReady.promise, this.listening.then(() => {})]);
    this.ready.catch(() => {});
    const given = places.map(({ setting, held }, index) => ({
      setting,
      address: showAddress(held.address),
      fd: firstFd + index,
    }));
    this.#tell({ ...assignment, type: 'start', heir, settings: portable(assignment.settings), places: given });
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  get state(): State {
    return this.#state;
  }

  /** Its statistics, as it sends them; rejects when it does not answer in time. */
  report(): Promise<unknown> {
    this.#asked += 1;
    const id = this.#asked;
    return new Promise((resolve, reject) => {
      const late = setTimeout(() => {
        this.#reports.delete(id);
        reject(new Error(`worker ${this.number} gave no report in time`));
      }, reportPatience);
      this.#reports.set(id, (report) => {
        clearTimeout(late);
        this.#reports.delete(id);
        resolve(report);
      });
      this.#tell({ type: 'report', id });
    });
  }

  /** Values that JSON can hold; ms, bytes and seconds as elsewhere. */
  status(): object {
    const { type, ...beat } = this.beat;
    const uptime = Math.round((performance.now() - this.since) / 1000);
    return { pid: this.pid, state: this.#state, uptime, ...beat, listening: this.listens };
  }

  /** Lets it open its log file anew. */
  reopen(): void {
    this.#tell({ type: 'reopen' });
  }

  accept(rooms: boolean): void {
    this.#tell({ type: 'accept', rooms });
  }

  /** Asks it to let go of memory that can be missed. */
  shed(): void {
    this.#tell({ type: 'shed' });
  }

  /**
   * Asks it to send everyone away and give up its rooms. One that is stuck may take a while to begin; the order has a date,
   * after which it is not followed any more. Once begun, there is no way back: it is waited for as long as rooms come.
   */
  handOver({ handOver, nextRoom }: Pick<RestartPolicy, 'handOver' | 'nextRoom'>): Promise<Left> {
    this.#tell({ type: 'hand-over', until: monotonic() + handOver });
    return new Promise((resolve) => {
      const settle = (left: Left): void => {
        clearTimeout(late);
        resolve(left);
      };
      const some = () => settle({ parts: this.#left, whole: false });
      // The second wait begins when this process turns again, if it was stuck itself.
      let late = setTimeout(() => {
        late = setTimeout(() => settle('kept'), travel);
      }, handOver);
      this.#handsOver = (word) => {
        clearTimeout(late);
        if (word === 'parts-end') settle({ parts: this.#left, whole: true });
        else late = setTimeout(some, nextRoom);
      };
      this.exited.then(some);
    });
  }

  /** Kills it unless it has come so far in time. @throws what the promise does, also for that reason */
  async inTime<T>(begun: Promise<T>, ms: number): Promise<T> {
    const late = setTimeout(() => this.kill(), ms);
    try {
      return await begun;
    } finally {
      clearTimeout(late);
    }
  }

  /** Gives an heir what its predecessor left; it listens then. */
  inherit(parts: unknown[]): void {
    for (const part of parts) this.#tell({ type: 'part', part });
    this.#tell({ type: 'parts-end' });
  }

  /** Asks it to drain and end; when it has not ended in time and ms of mercy more, it is killed. Resolves when it is gone. */
  async drain(seconds: number, { delay = 0, mercy = usualMercy } = {}): Promise<Exit> {
    this.askedToEnd = true;
    if (this.#state === 'starting') this.kill();
    else if (this.#state !== 'gone') this.#state = 'draining';
    this.#tell({ type: 'drain', seconds, delay });
    const late = setTimeout(() => this.kill(), (seconds + delay) * 1000 + mercy);
    const exit = await this.exited;
    clearTimeout(late);
    return exit;
  }

  /** Ends it by force, also when it hangs. */
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
        // A worker of a newer release may have more to say.
        if (!checked.success) return;
        const message = checked.data;
        if (message.type === 'beat') {
          this.beat = message;
          this.baseline ||= message.rss;
        }
        if (message.type === 'report') this.#reports.get(message.id)?.(message.report);
        if (message.type === 'ready') this.#isReady.resolve();
        if (message.type === 'part') this.#left.push(message.part);
        if (message.type === 'hands-over' || message.type === 'part' || message.type === 'parts-end')
          this.#handsOver(message.type);
        if (message.type === 'failed') reject(new Error(message.reason));
        if (message.type !== 'listening') return;
        if (this.#state === 'starting') this.#state = 'listening';
        this.listens = message.listening;
        resolve(message.listening);
      });
    });
  }

  #tell(message: ToWorker): void {
    tell(this.#child, message);
  }
}
