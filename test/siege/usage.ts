/** Resource usage of the processes of a siege, and the server's own readiness, sampled repeatedly. */
import { readFileSync } from 'node:fs';
import { cpuOf } from '../bench/servers.ts';

/** Resident memory of a process in bytes; undefined when it has ended. */
export const residentBytes = (pid: number): number | undefined => {
  try {
    return Number(/^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) * 1024;
  } catch {
    return undefined;
  }
};

/** Seconds of CPU time that a process has used; 0 when it has ended. */
export const processorTime = (pid: number): number => {
  try {
    return cpuOf(pid);
  } catch {
    return 0;
  }
};

/** Seconds for which the threads of a process were runnable and had to wait for a processor: caused by the machine. */
export const waitedTime = (pid: number): number => {
  try {
    return Number(readFileSync(`/proc/${pid}/schedstat`, 'utf8').split(' ')[1]) / 1e9;
  } catch {
    return 0;
  }
};

/** Observes a server from now on. */
export class Gauge {
  /** The largest number of bytes. */
  peak = 0;
  /** The latest status of `/readyz`; 0: no response. */
  ready = 0;
  /** How often that was not 200. */
  notReady = 0;
  readonly #pid: number;
  readonly #timer: NodeJS.Timeout;

  /** @param seen called with every measured number of bytes */
  constructor(pid: number, url: string, seen: (bytes: number) => void) {
    this.#pid = pid;
    this.#timer = setInterval(() => {
      const bytes = residentBytes(this.#pid) ?? 0;
      this.peak = Math.max(this.peak, bytes);
      seen(bytes);
      void this.#ask(`${url}/readyz`);
    }, 250);
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  async #ask(url: string): Promise<void> {
    const status = await fetch(url, { signal: AbortSignal.timeout(5000) }).then(
      (response) => response.status,
      () => 0,
    );
    this.ready = status;
    if (status !== 200) this.notReady += 1;
  }
}
