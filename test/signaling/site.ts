/** The server under test in this process, on every kind of listener, with a simple bridge in front of the uwsgi ones. */
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Duplex } from 'node:stream';
import { pino } from 'pino';
import { load } from '../../app/config/load.ts';
import { type Running, serve } from '../../app/serve.ts';
import { encodePacket } from '../listener/uwsgi/client.ts';

export type Site = {
  /** Base URLs that lead directly to each listener. */
  direct: Record<'http' | 'http-socket' | 'socket' | 'unix', string>;
  /** The address for a front end. */
  addresses: Record<'http-socket' | 'http-unix' | 'socket' | 'unix', string>;
  logs: Record<string, unknown>[];
  count: Running['count'];
  stop(): Promise<void>;
};

/** @param settings further flags */
export const startSite = async (settings: string[]): Promise<Site> => {
  const directory = mkdtempSync(join(tmpdir(), 'genkan-test-'));
  const [unix, httpUnix] = [join(directory, 'app.sock'), join(directory, 'http.sock')];
  const flags = ['--http', '127.0.0.1:0', '--http-socket', '127.0.0.1:0', '--http-socket', httpUnix].concat([
    '--socket',
    '127.0.0.1:0',
    '--socket',
    unix,
  ]);
  const loaded = load([...flags, ...settings], {});
  if ('faults' in loaded) throw new Error(loaded.faults.join('; '));
  const logs: Record<string, unknown>[] = [];
  const logger = pino({ base: null }, { write: (line: string) => logs.push(JSON.parse(line)) });
  const running = await serve(loaded.settings, logger);
  const [http, httpSocket, , socket] = running.listening;
  const bridges = [await startBridge(socket?.address ?? ''), await startBridge(unix)];
  const [tcpBridge, unixBridge] = bridges.map(({ url }) => url);
  return {
    direct: {
      http: urlOf(http),
      'http-socket': urlOf(httpSocket),
      socket: tcpBridge ?? '',
      unix: unixBridge ?? '',
    },
    addresses: {
      'http-socket': httpSocket?.address ?? '',
      'http-unix': httpUnix,
      socket: socket?.address ?? '',
      unix,
    },
    logs,
    count: running.count,
    async stop() {
      for (const { server } of bridges) {
        server.close();
        server.closeAllConnections();
      }
      await running.stop();
      rmSync(directory, { recursive: true, force: true });
    },
  };
};

const urlOf = (listener: Running['listening'][number] | undefined): string => `http://${listener?.address ?? ''}`;

/** Accepts HTTP and forwards it by uwsgi, like nginx, but simpler: one request for each connection, bytes unchanged. */
const startBridge = async (address: string): Promise<{ url: string; server: Server }> => {
  const server = createServer((request) => {
    const body: Buffer[] = [];
    request.on('data', (chunk: Buffer) => body.push(chunk));
    request.on('end', () => forward(address, request, request.socket, Buffer.concat(body)));
  });
  server.on('upgrade', (request, socket, head) => forward(address, request, socket, head));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const bound = server.address();
  return { url: `http://127.0.0.1:${typeof bound === 'object' ? bound?.port : 0}`, server };
};

const forward = (address: string, request: IncomingMessage, client: Duplex, body: Buffer): void => {
  const upstream = dial(address);
  const vars: [string, string][] = [
    ['REQUEST_METHOD', request.method ?? ''],
    ['REQUEST_URI', request.url ?? ''],
    ['SERVER_PROTOCOL', 'HTTP/1.1'],
    ['REQUEST_SCHEME', 'http'],
    ['REMOTE_ADDR', '127.0.0.1'],
    ['CONTENT_TYPE', request.headers['content-type'] ?? ''],
    ['CONTENT_LENGTH', request.headers.upgrade ? '' : String(body.length)],
  ];
  for (const [name, value] of Object.entries(request.headers))
    if (!name.startsWith('content-')) vars.push([`HTTP_${name.toUpperCase().replaceAll('-', '_')}`, String(value)]);
  upstream.write(encodePacket(vars));
  upstream.write(body);
  upstream.pipe(client);
  if (request.headers.upgrade) client.pipe(upstream);
  client.on('close', () => upstream.destroy());
  client.on('error', () => upstream.destroy());
  upstream.on('error', () => client.destroy());
};

const dial = (address: string): Socket => {
  const [host, port] = address.split(':');
  return address.startsWith('/') ? connect(address) : connect(Number(port), host);
};
