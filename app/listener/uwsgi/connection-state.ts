/** What a uwsgi connection needs of its server, and the states of one. */
import type { Server } from 'node:http';
import type { Socket } from 'node:net';
import { type ListenerOptions, unsentOf } from '../limits.ts';
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
  /** The kernel has a long response, which the peer may not have read yet, because it has not closed the connection. */
  | { state: 'unread'; network: string }
  /** Everything is written; input is discarded, up to `budget` bytes. */
  | { state: 'closing'; budget: number; request: UwsgiRequest | undefined };

/** The memory that a connection takes for a client in this network. `isEnding`: the response is written. */
type Memory = { network: string; bytes: number; isEnding: boolean };

export const memoryOf = (state: State, socket: Socket): Memory | undefined => {
  if (state.state === 'unread') return { network: state.network, bytes: socket.bytesWritten, isEnding: true };
  if (state.state !== 'request') return undefined;
  const { network, headMemory, request, response, answered } = state;
  const bytes = headMemory + request.readableLength + unsentOf(response, socket);
  return { network, bytes, isEnding: answered };
};
