/** A server that violates guarantees: passes everything on, and changes what the real one sends over WebSockets. */
import { once } from 'node:events';
import { createServer, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import WebSocket, { WebSocketServer } from 'ws';

export type Message = { type: string; [field: string]: unknown };
/** What is sent in place of one message. */
export type Lie = (message: Message) => Message[];
export type Liar = { url: string; close(): void };

/** @param lying the changes for one connection */
export const startLiar = async (target: string, lying: () => Lie): Promise<Liar> => {
  const server = createServer((asked, answer) => {
    const upstream = request(`${target}${asked.url}`, { method: asked.method, headers: asked.headers });
    upstream.on('response', (response) => {
      answer.writeHead(response.statusCode ?? 502, response.headers);
      answer.flushHeaders();
      response.on('error', () => answer.destroy());
      response.pipe(answer);
    });
    upstream.on('error', () => answer.destroy());
    answer.on('close', () => upstream.destroy());
    asked.pipe(upstream);
  });
  const sockets = new WebSocketServer({ server });
  sockets.on('connection', (client, { url }) => {
    const upstream = new WebSocket(`${target.replace('http', 'ws')}${url}`, client.protocol);
    const early: (() => void)[] = [];
    upstream.on('open', () => {
      for (const send of early) send();
    });
    client.on('message', (data, binary) => {
      const send = () => upstream.send(data, { binary });
      if (upstream.readyState === WebSocket.CONNECTING) early.push(send);
      else send();
    });
    const lie = lying();
    upstream.on('message', (data, binary) => {
      // It changes texts only.
      if (binary) return client.send(data, { binary });
      for (const message of lie(JSON.parse(String(data)))) client.send(JSON.stringify(message));
    });
    upstream.on('close', (code) => (code === 1006 ? client.terminate() : client.close(code)));
    client.on('close', () => upstream.terminate());
    for (const socket of [client, upstream]) socket.on('error', () => {});
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    close() {
      for (const client of sockets.clients) client.terminate();
      server.close();
      server.closeAllConnections();
    },
  };
};
