/** All sockets of the supervisor: each address is bound once and kept over reloads, as long as a worker needs it. */
import { showAddress } from '../../config/address.ts';
import { hostOf, type ListenEndpoint } from '../bind-plan.ts';
import type { Listen } from '../listen.ts';
import { type BoundSocket, bindSocket } from './bind-socket.ts';
import type { BoundEndpoint } from './worker-handle.ts';

export class BoundSockets {
  readonly #held = new Map<string, BoundSocket>();

  /**
   * Gives every worker its sockets: those there are already, others bound anew.
   * @throws when an address cannot be had; what was bound for this plan is let go again
   */
  async cover(plan: ListenEndpoint[][], options: Omit<Listen, 'host'>): Promise<BoundEndpoint[][]> {
    const fresh: string[] = [];
    const take = async (key: string, { setting, address }: ListenEndpoint): Promise<BoundEndpoint> => {
      const known = this.#held.get(key);
      const held = known ?? (await bindSocket(address, { ...options, host: hostOf(setting) }));
      if (!known) fresh.push(key);
      this.#held.set(key, held);
      return { setting, address, held };
    };
    try {
      const covered: BoundEndpoint[][] = [];
      for (const [worker, places] of plan.entries()) {
        covered.push([]);
        for (const [at, place] of places.entries()) covered[worker]?.push(await take(keyOf(place, worker, at), place));
      }
      return covered;
    } catch (error) {
      for (const key of fresh) this.#release(key);
      throw error;
    }
  }

  /** Lets go of what none of these places needs. */
  keepOnly(places: BoundEndpoint[]): void {
    const needed = new Set(places.map(({ held }) => held));
    for (const [key, held] of this.#held) if (!needed.has(held)) this.#release(key);
  }

  /** Lets go of all; workers that still have them are then the last. */
  close(): void {
    for (const held of this.#held.values()) held.close();
  }

  /** Removes the files that are left. */
  remove(): void {
    for (const held of this.#held.values()) held.remove();
  }

  #release(key: string): void {
    this.#held.get(key)?.close();
    this.#held.get(key)?.remove();
    this.#held.delete(key);
  }
}

/** Port 0 means another port for each place that asks for it. */
const keyOf = ({ address }: ListenEndpoint, worker: number, at: number): string =>
  address.kind === 'tcp' && address.port === 0 ? `${showAddress(address)} ${worker} ${at}` : showAddress(address);
