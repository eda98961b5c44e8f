/** Honest peers that come for the first time, one after the other: into existing rooms, and into rooms of their own. */
import { Connection } from '../../app/client/connection.ts';
import { hostOfNewcomer, known, passcode } from './addresses.ts';
import type { Network } from './network.ts';

/** ms between two of them, ms that one stays, ms that one waits to be admitted. */
const every = 500;
const stays = 1000;
const patience = 10_000;

export class Newcomers {
  came = 0;
  /** Those that had not joined after ten seconds. */
  late = 0;
  /** The reasons of final refusals. */
  readonly turnedAway = new Map<string, number>();
  /** ms until they had joined. */
  readonly waits: number[] = [];
  readonly #network: Network;
  readonly #port: number;
  readonly #quietRooms: string[];
  readonly #here = new Set<Connection>();
  #coming: NodeJS.Timeout | undefined;

  constructor(network: Network, port: number, rooms: string[]) {
    this.#network = network;
    this.#port = port;
    this.#quietRooms = rooms.filter((room) => room.startsWith('quiet'));
  }

  begin(): void {
    this.#coming = setInterval(() => this.#come(this.came), every);
  }

  end(): void {
    clearInterval(this.#coming);
    for (const connection of this.#here) connection.leave();
  }

  #come(nth: number): void {
    this.came += 1;
    const quiet = this.#quietRooms[nth % this.#quietRooms.length];
    const targets = [known.full, known.knock, known.passcode, known.open, quiet, `new-${nth}`];
    const room = targets[nth % targets.length] ?? known.open;
    const url = `ws://${hostOfNewcomer(nth)}:${this.#port}/rooms/${room}/ws`;
    const join = { name: `newcomer ${nth}`, ...(room === known.passcode ? { passcode } : {}) };
    const connection = new Connection({ url, join, open: this.#network.opener('websocket') });
    this.#here.add(connection);
    const began = performance.now();
    const leave = () => {
      clearTimeout(late);
      this.#here.delete(connection);
      connection.leave();
    };
    const late = setTimeout(() => {
      this.late += 1;
      leave();
    }, patience);
    let isIn = false;
    connection.on('joined', () => {
      if (!isIn) this.waits.push(performance.now() - began);
      isIn = true;
      setTimeout(leave, stays);
    });
    connection.on('state', (state) => {
      if (state.state !== 'closed' || state.code === 'left' || isIn) return;
      const why = `${room.replace(/\d+/, '')}: ${state.code}`;
      this.turnedAway.set(why, (this.turnedAway.get(why) ?? 0) + 1);
      leave();
    });
  }
}
