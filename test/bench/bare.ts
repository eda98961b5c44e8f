/**
 * The baseline: a relay on `ws` and node:http that does nothing else. The sockets of a path receive each other's messages; browsers get
 * minimal.html.
 */
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { type WebSocket, WebSocketServer } from 'ws';

const rooms = new Map<string, Set<WebSocket>>();
const page = readFileSync(join(import.meta.dirname, 'minimal.html'));
const server = createServer((_, answer) => answer.setHeader('content-type', 'text/html').end(page));
const sockets = new WebSocketServer({ server, perMessageDeflate: false, clientTracking: false });
sockets.on('connection', (socket, { url = '' }) => {
  const room = rooms.get(url) ?? new Set();
  rooms.set(url, room.add(socket));
  socket.on('message', (data, isBinary) => {
    const { type } = JSON.parse(String(data));
    if (type !== 'signal' && type !== 'chat') return;
    for (const other of room) if (other !== socket) other.send(data, { binary: isBinary });
  });
  socket.on('close', () => {
    room.delete(socket);
    if (room.size === 0) rooms.delete(url);
  });
});
// A port, or the path of a unix socket.
const at = process.argv[2] ?? '0';
server.listen(at.startsWith('/') ? { path: at } : { port: Number(at), host: '127.0.0.1' }, () =>
  process.stdout.write('ready\n'),
);
