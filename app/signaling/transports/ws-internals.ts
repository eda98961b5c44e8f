/**
 * What the server uses of ws beyond its documented API, and nowhere else. `checkWsInternals` runs when the app is built, so that a version
 * of ws without one of them is refused at start, by name. `test/listener/internals.ts` checks the same with the installed version.
 */
import { hash } from 'node:crypto';
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

/** A handshake that was checked: RFC 6455 §4.2.1. `head`: what was received after it. `protocol`: the one chosen. */
export type CheckedHandshake = { socket: Socket; head: Buffer; key: string; protocol: string | undefined };

/**
 * Answers 101, as `WebSocketServer.handleUpgrade` does after its own checks, in a fifth of the time: that creates a stream to hash the key,
 * and a list of headers for its listeners.
 */
export const acceptHandshake = (
  { options }: WebSocketServer,
  { socket, head, key, protocol }: CheckedHandshake,
): WebSocket => {
  const WebSocketClass = options.WebSocket as unknown as new (
    address: null,
    protocols: undefined,
    options: object,
  ) => Internal;
  const webSocket = new WebSocketClass(null, undefined, options);
  let answer = `${switching}${hash('sha1', key + guid, 'base64')}\r\n`;
  if (protocol !== undefined) {
    webSocket._protocol = protocol;
    answer += `Sec-WebSocket-Protocol: ${protocol}\r\n`;
  }
  socket.write(`${answer}\r\n`, 'latin1');
  webSocket.setSocket(socket, head, options);
  return webSocket;
};
type Internal = WebSocket & { _protocol: string; setSocket(socket: Socket, head: Buffer, options: object): void };

const switching =
  'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ';
/** RFC 6455 §1.3 */
const guid = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';

/**
 * Performs a handshake in memory, and checks what we rely on:
 * - `handleUpgrade` calls back before it returns (websocket-handshake.ts), so that a handshake is one step for Fastify.
 * - `acceptHandshake` writes what `handleUpgrade` does.
 * - ws reads by one 'data' listener (`interceptData`), and that listener parses what it is given.
 * - ws writes a frame at once when there is no compression (websocket-writer.ts), so frames written to the connection by others do not
 *   get into the middle of one. `WebSocket.send` would take one or two writes for each message.
 * @throws naming what differs
 */
export const checkWsInternals = (server: WebSocketServer): void => {
  const usual = memoryConnection();
  let socket: WebSocket | undefined;
  server.handleUpgrade(handshake, usual.connection as Socket, Buffer.alloc(0), (accepted) => {
    socket = accepted;
  });
  if (!socket) throw new Error('ws does not accept a handshake synchronously');
  checkFrames(socket, usual);
  const direct = memoryConnection();
  const { 'sec-websocket-key': key = '' } = handshake.headers;
  const request = { socket: direct.connection as Socket, head: Buffer.alloc(0), key, protocol: undefined };
  const accepted = acceptHandshake(server, request);
  if (!direct.answer().equals(usual.answer())) throw new Error('ws answers a handshake differently');
  checkFrames(accepted, direct);
};

/** A connection that keeps what is written to it. */
const memoryConnection = () => {
  const written: Buffer[] = [];
  const connection = new Duplex({
    read() {},
    write(chunk: Buffer, _encoding, done) {
      written.push(chunk);
      done();
    },
  });
  return { connection, written, answer: () => written[0] ?? Buffer.alloc(0) };
};

const checkFrames = (socket: WebSocket, { connection, written }: ReturnType<typeof memoryConnection>): void => {
  try {
    const toWs = interceptData(connection, () => {});
    const received: string[] = [];
    socket.on('message', (data) => received.push(String(data)));
    toWs(maskedText);
    if (received.join() !== 'a') throw new Error("the 'data' listener of ws does not parse frames");
    const before = written.length;
    socket.send('b');
    if (!Buffer.concat(written.slice(before)).equals(Buffer.from([0x81, 1, 0x62])))
      throw new Error('ws does not write a frame at once');
  } finally {
    socket.on('error', () => {});
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
