/**
 * What each of `listener/node-internals.ts` and `signaling/transports/ws-internals.ts` does, checked directly. A plain program as well, so
 * that it runs on any version of Node that strips types: `node test/listener/internals.ts`, `npx node@26 test/listener/internals.ts`.
 */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { rmSync } from 'node:fs';
import { IncomingMessage, Server, ServerResponse } from 'node:http';
import { type AddressInfo, connect, createServer, Socket } from 'node:net';
import { text } from 'node:stream/consumers';
import { WebSocketServer } from 'ws';
import {
  addRawHeaders,
  bindWithoutListening,
  checkNodeInternals,
  interceptInput,
  interceptLastResponse,
  joinChunks,
  listeningHandle,
  replaceConnectionListener,
  stopFlowing,
  takeNeedDrainFromSocket,
} from '../../app/listener/node-internals.ts';
import { checkWsInternals } from '../../app/signaling/transports/ws-internals.ts';

/** What each does, by name; each throws if this version does not do it. */
export const internals: Record<string, () => Promise<void> | void> = {
  'everything is there': checkNodeInternals,

  'net._createServerHandle binds a TCP port without listening': async () => {
    const handle = handleOf(bindWithoutListening('127.0.0.1', 0, 4));
    const bound: Partial<AddressInfo> = {};
    assert.equal(handle.getsockname?.(bound), 0);
    await assert.rejects(connected({ host: '127.0.0.1', port: bound.port ?? 0 }), { code: 'ECONNREFUSED' });
    const server = createServer().listen({ fd: handle.fd });
    await once(server, 'listening');
    (await connected({ host: '127.0.0.1', port: bound.port ?? 0 })).destroy();
    server.close();
  },

  'net._createServerHandle binds a unix socket, and returns the number of an error': () => {
    const path = `/tmp/genkan-internals-${process.pid}.sock`;
    const handle = handleOf(bindWithoutListening(path, -1, -1));
    try {
      assert.ok(handle.fd > 0);
      assert.ok(Number(bindWithoutListening(path, -1, -1)) < 0);
    } finally {
      handle.close();
      rmSync(path, { force: true });
    }
  },

  'Server._handle can be sent to a child, and listened on when it comes back': async () => {
    const server = createServer();
    await once(server.listen(0, '127.0.0.1'), 'listening');
    const child = spawn(process.execPath, ['-e', "process.on('message', (_, handle) => process.send(0, handle))"], {
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    });
    child.send(0, listeningHandle(server) as Server);
    const [, handle] = await once(child, 'message');
    child.disconnect();
    const copy = createServer((socket) => socket.end('copy'));
    await once(copy.listen(handle), 'listening');
    const { port } = server.address() as AddressInfo;
    server.close();
    const socket = await connected({ host: '127.0.0.1', port });
    assert.equal(await text(socket), 'copy');
    copy.close();
  },

  'IncomingMessage._addHeaderLines sets headers by the rules of node:http': () => {
    const request = new IncomingMessage(new Socket());
    addRawHeaders(request, ['host', 'a', 'host', 'b', 'x-list', '1', 'x-list', '2', 'set-cookie', 'c']);
    assert.deepEqual({ ...request.headers }, { host: 'a', 'x-list': '1, 2', 'set-cookie': ['c'] });
    assert.equal(request.rawHeaders.length, 10);
  },

  'Socket.readableFlowing = null: the next data listener receives all bytes, also later': async () => {
    await withConnection(async (accepted, client) => {
      accepted.on('data', () => {});
      client.write('1');
      await once(accepted, 'data');
      accepted.removeAllListeners('data');
      stopFlowing(accepted);
      client.write('2');
      await new Promise((resolve) => setImmediate(resolve));
      const [data] = await once(accepted, 'data');
      assert.equal(String(data), '2');
    });
  },

  'node:http calls Socket.destroySoon after the last response': async () => {
    let called = 0;
    const server = new Server((_, response) => response.setHeader('connection', 'close').end('a'));
    server.on('connection', (socket: Socket) =>
      interceptLastResponse(socket, (destroySoon) => {
        called += 1;
        destroySoon();
      }),
    );
    assert.match(await exchange(server, get), /^HTTP\/1\.1 200 /);
    assert.equal(called, 1);
  },

  'the input of a connection can be given to the parser of node:http in pieces, and its end': async () => {
    const urls: (string | undefined)[] = [];
    const server = new Server((request, response) => {
      urls.push(request.url);
      response.end();
    });
    server.on('connection', (socket: Socket) => {
      const toNode = interceptInput(
        socket,
        (bytes) => {
          toNode.parse(bytes.subarray(0, 3));
          assert.deepEqual(urls, []);
          toNode.parse(bytes.subarray(3, get.length));
          assert.deepEqual(urls, ['/']);
          toNode.end();
        },
        () => {},
      );
    });
    // Without its end, it would be kept alive.
    assert.match(await exchange(server, get + get.replace('/', '/second')), /^HTTP\/1.1 200 /);
    assert.deepEqual(urls, ['/']);
  },

  'the chunks of a body are pushed by request.push, and can be joined': async () => {
    const parts: string[] = [];
    const server = new Server((request, response) => {
      request.on('data', (part) => parts.push(String(part)));
      request.on('end', () => response.setHeader('connection', 'close').end());
      const flush = joinChunks(request);
      setImmediate(() => assert.deepEqual(flush(), { chunks: 0, wantsMore: true }));
    });
    const chunked = get.replace('GET', 'POST').replace('Host', 'Transfer-Encoding: chunked\r\nHost');
    await exchange(server, `${chunked}1\r\na\r\n1\r\nb\r\n2\r\ncd\r\n0\r\n\r\n`);
    assert.deepEqual(parts, ['abcd']);
  },

  "the 'connection' listener of http.Server can be replaced": async () => {
    const server = new Server(() => assert.fail('node:http read the connection'));
    replaceConnectionListener(server, (socket) => socket.end('ours'));
    assert.equal(await exchange(server, get), 'ours');
  },

  'ServerResponse.assignSocket writes to a socket that node:http does not manage, without chunks': async () => {
    const server = createServer({ allowHalfOpen: true }, (socket) => {
      const request = new IncomingMessage(socket);
      Object.assign(request, { method: 'GET', httpVersionMajor: 1, httpVersionMinor: 1 });
      const response = new ServerResponse(request);
      response.shouldKeepAlive = false;
      response.useChunkedEncodingByDefault = true;
      response.removeHeader('transfer-encoding');
      response.assignSocket(socket);
      response.on('finish', () => {
        response.detachSocket(socket);
        assert.equal(response.socket, null);
        socket.end();
      });
      response.write('a');
      response.end('b');
    });
    const answer = await exchange(server, '');
    assert.match(answer, /\r\nConnection: close\r\n/);
    assert.doesNotMatch(answer, /transfer-encoding/i);
    assert.match(answer, /\r\n\r\nab$/);
  },

  'ServerResponse.writableNeedDrain can be that of the socket': () => {
    class Response extends ServerResponse {}
    takeNeedDrainFromSocket(Response.prototype);
    const response = new Response(new IncomingMessage(new Socket()));
    assert.equal(response.writableNeedDrain, false);
    response.assignSocket(Object.defineProperty(new Socket(), 'writableNeedDrain', { value: true }));
    assert.equal(response.writableNeedDrain, true);
  },

  'http.Server emits its events by its emit method': async () => {
    const events: string[] = [];
    class Recording extends Server {
      override emit(event: string, ...args: unknown[]): boolean {
        events.push(event);
        return super.emit(event, ...args);
      }
    }
    const answering = () => {
      const server = new Recording((_, response) => response.setHeader('connection', 'close').end());
      server.on('checkContinue', (_, response: ServerResponse) => response.setHeader('connection', 'close').end());
      server.on('checkExpectation', (_, response: ServerResponse) => response.setHeader('connection', 'close').end());
      server.on('clientError', (_, socket) => socket.destroy());
      return server.on('upgrade', (_, socket) => socket.end('upgraded'));
    };
    await exchange(answering(), get);
    await exchange(answering(), get.replace('\r\n\r\n', '\r\nExpect: 100-continue\r\n\r\n'));
    await exchange(answering(), get.replace('\r\n\r\n', '\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n'));
    await exchange(answering(), 'nonsense\r\n\r\n');
    await exchange(answering(), get.replace('\r\n\r\n', '\r\nExpect: other\r\n\r\n'));
    for (const event of ['connection', 'request', 'checkContinue', 'checkExpectation', 'upgrade', 'clientError'])
      assert.ok(events.includes(event), `${event} was not emitted by emit()`);
  },

  'http.Server.close calls closeIdleConnections': () => {
    let called = 0;
    class Counting extends Server {
      override closeIdleConnections(): void {
        called += 1;
      }
    }
    new Counting().close();
    assert.equal(called, 1);
  },

  'shouldUpgradeCallback decides between upgrade and request': async () => {
    const server = new Server({ shouldUpgradeCallback: () => false });
    server.on('upgrade', () => assert.fail('upgraded'));
    server.on('request', (_, response: ServerResponse) => response.setHeader('connection', 'close').end('plain'));
    const answer = await exchange(server, get.replace('\r\n\r\n', '\r\nConnection: upgrade\r\nUpgrade: h2c\r\n\r\n'));
    assert.match(answer, /plain/);
  },

  'ws accepts at once, reads by one listener and writes each frame at once': () =>
    checkWsInternals(new WebSocketServer({ noServer: true, perMessageDeflate: false })),
};

const get = 'GET / HTTP/1.1\r\nHost: a\r\n\r\n';

const handleOf = (handle: ReturnType<typeof bindWithoutListening>) => {
  if (typeof handle === 'number') throw new Error(`not bound: ${handle}`);
  return handle;
};

const connected = async (target: { host: string; port: number }): Promise<Socket> => {
  const socket = connect(target);
  await once(socket, 'connect');
  return socket;
};

/** Everything that a server sends to a client that sends `sent`, until it closes. */
const exchange = async (server: ReturnType<typeof createServer>, sent: string): Promise<string> => {
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const socket = await connected({ host: '127.0.0.1', port: (server.address() as AddressInfo).port });
  socket.write(sent);
  const received = await text(socket);
  server.close();
  return received;
};

const withConnection = async (use: (accepted: Socket, client: Socket) => Promise<void>): Promise<void> => {
  const server = createServer();
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const client = connect((server.address() as AddressInfo).port, '127.0.0.1');
  const [accepted] = await once(server, 'connection');
  try {
    await use(accepted, client);
  } finally {
    client.destroy();
    accepted.destroy();
    server.close();
  }
};

if (import.meta.main ?? process.argv[1] === import.meta.filename)
  for (const [name, check] of Object.entries(internals)) {
    await check();
    console.log(`ok: ${name}`);
  }
