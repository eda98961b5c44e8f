/** Socket.IO with connection state recovery, for `storm.ts`: the sockets of a room receive each other's texts. */
import { createServer } from 'node:http';
import { Server } from 'socket.io';

const server = createServer();
const io = new Server(server, {
  serveClient: false,
  transports: ['websocket'],
  connectionStateRecovery: { maxDisconnectionDuration: 120_000, skipMiddlewares: true },
});
io.on('connection', (socket) => {
  const room = String(socket.handshake.query.room);
  // A recovered socket is in its rooms again.
  void socket.join(room);
  socket.on('chat', (text: unknown) => socket.to(room).emit('chat', text));
});
server.listen(process.argv[2], () => process.stdout.write('ready\n'));
