/** A proxy that breaks transports: passes HTTP and WebSockets on to a server, and breaks what the test says. */
import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http';
import { connect, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';

export type Fault =
  /** Upgrades are answered 403. */
  | 'refuses upgrades'
  /** Upgrades never get a response. */
  | 'hangs upgrades'
  /** The handshake passes, and nothing after it. */
  | 'swallows WebSockets'
  /** The handshake passes, then the connection is cut. */
  | 'cuts WebSockets'
  /** The body of an event stream is delivered only at its end. */
  | 'buffers streams'
  /** Event streams are cut after 300 ms. */
  | 'cuts streams'
  /** The server gets another Host than the one requested. */
  | 'changes the host'
  /** Every request is cut without a response. */
  | 'is down';

export type Spoiled = { url: string; faults: Set<Fault>; cut(): void; close(): void };

export const startSpoiled = async (target: string, faults: Fault[]): Promise<Spoiled> => {
  const { hostname, port } = new URL(target);
  const active = new Set(faults);
  const streams = new Set<ServerResponse>();
  const server = createServer((asked, answer) => {
    if (asked.headers.accept === 'text/event-stream') streams.add(answer);
    answer.on('close', () => streams.delete(answer));
    if (active.has('is down')) asked.socket.destroy();
    const headers = active.has('changes the host') ? { ...asked.headers, host: 'elsewhere.example' } : asked.headers;
    const upstream = request({ hostname, port, method: asked.method, path: asked.url, headers });
    upstream.on('response', (response) => passOn(response, answer, active));
    upstream.on('error', () => answer.destroy());
    answer.on('close', () => upstream.destroy());
    asked.pipe(upstream);
  });
  const upgraded = new Set<Duplex>();
  server.on('upgrade', (asked, client) => {
    upgraded.add(client);
    client.on('error', () => {});
    if (active.has('refuses upgrades')) client.end('HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n');
    else if (active.has('is down')) client.destroy();
    else if (!active.has('hangs upgrades')) tunnel(asked, client, connect(Number(port), hostname), active);
  });
  /** Cuts the open WebSockets and event streams. */
  const cut = () => {
    for (const open of [...upgraded, ...streams]) open.destroy();
    upgraded.clear();
  };
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const bound = server.address();
  return {
    url: `http://127.0.0.1:${typeof bound === 'object' ? bound?.port : 0}`,
    faults: active,
    cut,
    close() {
      cut();
      server.close();
      server.closeAllConnections();
    },
  };
};

const passOn = (response: IncomingMessage, answer: ServerResponse, faults: Set<Fault>): void => {
  response.on('error', () => answer.destroy());
  const isStream = response.headers['content-type']?.startsWith('text/event-stream');
  answer.writeHead(response.statusCode ?? 502, response.headers);
  if (!isStream || !faults.has('buffers streams')) {
    answer.flushHeaders();
    response.pipe(answer);
    if (isStream && faults.has('cuts streams')) setTimeout(() => answer.destroy(), 300);
    return;
  }
  const kept: Buffer[] = [];
  response.on('data', (chunk: Buffer) => kept.push(chunk));
  response.on('end', () => answer.end(Buffer.concat(kept)));
};

const tunnel = ({ url, headers }: IncomingMessage, client: Duplex, upstream: Socket, faults: Set<Fault>): void => {
  const forwarded = faults.has('changes the host') ? { ...headers, host: 'elsewhere.example' } : headers;
  const head = Object.entries(forwarded).map(([name, value]) => `${name}: ${value}\r\n`);
  upstream.write(`GET ${url} HTTP/1.1\r\n${head.join('')}\r\n`);
  upstream.on('error', () => client.destroy());
  upstream.once('data', (handshake) => {
    client.write(handshake);
    if (faults.has('cuts WebSockets')) client.destroy();
    if (faults.has('swallows WebSockets') || client.destroyed) return;
    upstream.pipe(client);
    client.pipe(upstream);
  });
  client.on('close', () => upstream.destroy());
  upstream.on('close', () => client.destroy());
};
