/** All sockets of the supervisor: each address is bound once and kept across reloads while a worker needs it. */
import { showAddress } from '../../config/address.ts';
import { hostOf, type ListenEndpoint } from '../bind-plan.ts';
import type { Listen } from '../listen.ts';
import { type BoundSocket, bindSocket } from './bind-socket.ts';
import type { BoundEndpoint } from './worker-handle.ts';

export class BoundSockets {
  readonly #sockets = new Map<string, BoundSocket>();

  /**
   * Returns the sockets of every worker, reusing those already bound.
   * @throws when an address cannot be bound; sockets bound for this plan are released
   */
  async cover(plan: ListenEndpoint[][], options: Omit<Listen, 'host'>): Promise<BoundEndpoint[][]> {
    const added: string[] = [];
    const acquire = async (key: string, { setting, address }: ListenEndpoint): Promise<BoundEndpoint> => {
      const known = this.#sockets.get(key);
      const held = known ?? (await bindSocket(address, { ...options, host: hostOf(setting) }));
      if (!known) added.push(key);
      this.#sockets.set(key, held);
      return { setting, address, held };
    };
    try {
      const bound: BoundEndpoint[][] = [];
      for (const [worker, endpoints] of plan.entries()) {
        bound.push([]);
        for (const [index, endpoint] of endpoints.entries())
          bound[worker]?.push(await acquire(keyOf(endpoint, worker, index), endpoint));
      }
      return bound;
    } catch (error) {
      for (const key of added) this.#release(key);
      throw error;
    }
  }

  /** Releases every socket that none of these endpoints uses. */
  keepOnly(endpoints: BoundEndpoint[]): void {
    const needed = new Set(endpoints.map(({ held }) => held));
    for (const [key, socket] of this.#sockets) if (!needed.has(socket)) this.#release(key);
  }

  /** Closes all of them; workers keep their own descriptors. */
  close(): void {
    for (const socket of this.#sockets.values()) socket.close();
  }

  /** Removes the files of unix sockets. */
  remove(): void {
    for (const socket of this.#sockets.values()) socket.remove();
  }

  #release(key: string): void {
    this.#sockets.get(key)?.close();
    this.#sockets.get(key)?.remove();
    this.#sockets.delete(key);
  }
}

/** Port 0 means a different port for each endpoint that uses it. */
const keyOf = ({ address }: ListenEndpoint, worker: number, index: number): string =>
  address.kind === 'tcp' && address.port === 0 ? `${showAddress(address)} ${worker} ${index}` : showAddress(address);
