/** What the server uses of Node and ws beyond their documented APIs: each does what it is used for, and is missed at start. */
import { readFileSync } from 'node:fs';
import { IncomingMessage, Server } from 'node:http';
import { Socket } from 'node:net';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { WebSocketServer } from 'ws';
import { checkNodeInternals } from '../../app/listener/node-internals.ts';
import { checkWsInternals } from '../../app/signaling/transports/ws-internals.ts';
import { internals } from './internals.ts';

afterEach(() => vi.restoreAllMocks());

describe('what is used of Node and ws', () => {
  test.each(Object.entries(internals))('%s', async (_, check) => {
    await check();
  });
});

describe('what is missing is named at start', () => {
  test.each([
    ['IncomingMessage._addHeaderLines', IncomingMessage.prototype, '_addHeaderLines'],
    ['Socket.destroySoon', Socket.prototype, 'destroySoon'],
    ['Server.closeIdleConnections', Server.prototype, 'closeIdleConnections'],
  ])('%s', (name, owner, property) => {
    const before = Reflect.getOwnPropertyDescriptor(owner, property);
    if (!before) throw new Error(`${property} is inherited`);
    Reflect.deleteProperty(owner, property);
    try {
      expect(checkNodeInternals).toThrow(`Node ${process.version} lacks ${name}: use another version`);
    } finally {
      Object.defineProperty(owner, property, before);
    }
  });

  const changed = (change: (socket: Socket) => void): WebSocketServer => {
    const server = new WebSocketServer({ noServer: true });
    const { handleUpgrade } = WebSocketServer.prototype;
    server.handleUpgrade = (request, socket, head, accept) =>
      handleUpgrade.call(server, request, socket, head, (...accepted) => {
        change(socket as Socket);
        accept(...accepted);
      });
    return server;
  };
  test.each<[string, WebSocketServer]>([
    ["ws does not read its connection by one 'data' listener", changed((socket) => socket.removeAllListeners('data'))],
    ["ws does not read its connection by one 'data' listener", changed((socket) => socket.on('data', () => {}))],
    [
      "the 'data' listener of ws does not parse frames",
      changed((socket) => socket.removeAllListeners('data').on('data', () => {})),
    ],
    ['ws does not write a frame at once', changed((socket) => vi.spyOn(socket, 'write').mockReturnValue(true))],
    [
      'ws does not accept a handshake synchronously',
      Object.assign(new WebSocketServer({ noServer: true }), { handleUpgrade: () => {} }),
    ],
  ])('%s', (message, server) => {
    expect(() => checkWsInternals(server)).toThrow(message);
  });
});

test('package.json allows only what these tests run on', () => {
  const text = readFileSync(new URL('../../package.json', import.meta.url), 'utf8');
  const { engines, devDependencies } = JSON.parse(text);
  const { version } = JSON.parse(readFileSync(new URL(import.meta.resolve('ws/package.json')), 'utf8'));
  expect(engines.node.split(' || ').map((range: string) => range.split('.')[0])).toEqual(['^22', '^24', '^26']);
  expect(devDependencies.ws).toBe(`~${version.replace(/\d+$/, '0')}`);
});
