/**
 * What the server uses of ws beyond its documented API, and nowhere else. `checkWsInternals` runs when the app is built, so that a version
 * of ws without one of them is refused at start, by name. `test/listener/internals.ts` checks the same with the installed version.
 */
import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import { Duplex } from 'node:stream';
import type { WebSocket, WebSocketServer } from 'ws';

/**
 * Replaces the listener by which ws reads its connection. ws emits a message only after it has parsed and unmasked it, which
 * websocket-reader.ts does faster.
 * @returns passes bytes to ws
 * @throws if ws does not read the connection by one 'data' listener
 */
export const interceptData = (connection: Duplex, onData: (chunk: Buffer) => void): ((bytes: Buffer) => void) => {
  const [listener, ...others] = connection.listeners('data');
  if (!listener || others.length > 0) throw new Error("ws does not read its connection by one 'data' listener");
  connection.on('data', onData);
  connection.removeListener('data', listener as () => void);
  return (bytes) => listener.call(connection, bytes);
};

/**
 * Performs a handshake in memory, and checks what we rely on:
 * - `handleUpgrade` calls back before it returns (websocket-handshake.ts), so that a handshake is one step for Fastify.
 * - ws reads by one 'data' listener (`interceptData`), and that listener parses what it is given.
 * - ws writes a frame at once when there is no compression (websocket-writer.ts), so frames written to the connection by others do not
 *   get into the middle of one. `WebSocket.send` would take one or two writes for each message.
 * @throws naming what differs
 */
export const checkWsInternals = (server: WebSocketServer): void => {
  const written: Buffer[] = [];
  const connection = new Duplex({
    read() {},
    write(chunk: Buffer, _encoding, done) {
      written.push(chunk);
      done();
    },
  });
  let socket: WebSocket | undefined;
  server.handleUpgrade(handshake, connection as Socket, Buffer.alloc(0), (accepted) => {
    socket = accepted;
  });
  try {
    if (!socket) throw new Error('ws does not accept a handshake synchronously');
    const toWs = interceptData(connection, () => {});
    const received: string[] = [];
    socket.on('message', (data) => received.push(String(data)));
    toWs(maskedText);
    if (received.join() !== 'a') throw new Error("the 'data' listener of ws does not parse frames");
    written.length = 0;
    socket.send('b');
    if (!Buffer.concat(written).equals(Buffer.from([0x81, 1, 0x62])))
      throw new Error('ws does not write a frame at once');
  } finally {
    socket?.on('error', () => {});
    connection.destroy();
  }
};

/** RFC 6455 §1.3; node:http has parsed it. */
const handshake = {
  method: 'GET',
  headers: {
    connection: 'Upgrade',
    upgrade: 'websocket',
    'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==',
    'sec-websocket-version': '13',
  },
} as unknown as IncomingMessage;

/** A final text frame "a", masked with zeros: RFC 6455 §5.2. */
const maskedText = Buffer.from([0x81, 0x81, 0, 0, 0, 0, 0x61]);
