/** What a uwsgi connection needs of its server, and the states of one. */
import type { Server } from 'node:http';
import type { ListenerOptions } from '../limits.ts';
import type { Exchange } from './exchange.ts';
import type { PacketParser } from './packet.ts';
import type { UwsgiRequest } from './request.ts';

/** What a connection `C` needs from its server. */
export type Host<C> = {
  server: Server;
  options: ListenerOptions;
  /** The connection has closed. */
  forget(connection: C): void;
  /** The connection was upgraded; its socket goes to the 'upgrade' listener. */
  handOver(connection: C): void;
};

export type State =
  | { state: 'packet'; parser: PacketParser; started: boolean }
  /** The packet is complete, and the client's network has to wait for a turn of the event loop. */
  | { state: 'deferred' }
  | Exchange
  /** Everything is written; input is discarded, up to `budget` bytes. */
  | { state: 'closing'; budget: number; request: UwsgiRequest | undefined };
