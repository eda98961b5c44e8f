/**
 * More accepts in a turn of the event loop. libuv accepts one connection per descriptor in each turn
 * (https://github.com/libuv/libuv/pull/3696), so the accept queue of a busy process overflows although it could serve most of the
 * connections: the kernel drops a SYN, which the client repeats after 1, 3 and 7 s, and a unix socket refuses connect(2).
 * A busy process therefore listens on further descriptors of the same sockets.
 */
import { spawn } from 'node:child_process';
import type { Server } from 'node:http';
import { type EventLoopUtilization, performance } from 'node:perf_hooks';
import { listeningHandle } from '../listener/node-internals.ts';
import type { ListenSetting } from './bind-plan.ts';
import type { ServerListener } from './listeners.ts';

/** Further descriptors of each socket. */
export const extraDescriptors = 7;
/** Share of the time in which the event loop of a busy process is not idle. */
const busyUtilization = 0.8;
/** ms after which a child process that has not sent all descriptors back is killed. */
const duplicationTimeout = 30_000;

type Log = { warn(fields: object, message: string): void };
/** Routes the requests of a server to the app. */
type Attach = (server: Server, setting: ListenSetting) => void;

/** @returns a check, to be called several times a second; from the first time that the process is busy, it accepts more */
export const acceptsWhenBusy = (
  listeners: ServerListener[],
  attach: Attach,
  log: Log,
  backlog?: number,
): (() => void) => {
  let since: EventLoopUtilization | undefined;
  let done = false;
  return () => {
    const before = since;
    // Of a server that starts or takes over rooms, the loop is always busy: the first check after it has begun to listen only measures.
    since = listeners.every(({ server }) => server.listening) ? performance.eventLoopUtilization() : undefined;
    if (done || !before || !since) return;
    if (performance.eventLoopUtilization(since, before).utilization < busyUtilization) return;
    done = true;
    acceptMore(listeners, attach, backlog).catch(({ message }) =>
      log.warn({ reason: message }, 'the server accepts only one connection in each turn of the event loop'),
    );
  };
};

/** @param backlog of the sockets, because listening again sets it  @throws if the descriptors cannot be duplicated */
export const acceptMore = async (listeners: ServerListener[], attach: Attach, backlog?: number): Promise<void> => {
  for (const { server, copies, createServer, endpoint } of listeners) {
    if (!server.listening) continue;
    for (const handle of await duplicateHandle(server, extraDescriptors)) {
      const copy = createServer();
      attach(copy, endpoint.setting);
      copies.push(copy);
      // A failed accept affects only that one client.
      copy.on('error', () => {});
      // Of a unix socket Node makes a second handle with this descriptor; the received one stays, unused, for the life of the process.
      copy.listen(handle, backlog);
      // The server may have been closed meanwhile.
      if (!server.listening) copy.close();
    }
  }
};

/** Sends a handle back several times. Each time the kernel makes a new descriptor of it (SCM_RIGHTS, see unix(7)). */
const sendBack = `process.on('message', (count, handle) => {
  for (let sent = 0; sent < count; sent += 1) process.send(sent, handle);
});`;

/** Node has no dup(2), so a short-lived child process sends the descriptor back. It exits when it is disconnected. */
const duplicateHandle = (server: Server, count: number): Promise<object[]> =>
  new Promise((resolve, reject) => {
    const child = spawn(process.execPath, ['-e', sendBack], {
      stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
      env: {},
      timeout: duplicationTimeout,
    });
    const handles: object[] = [];
    child.on('message', (_nth, handle) => {
      handles.push(handle as object);
      if (handles.length < count) return;
      resolve(handles);
      child.disconnect();
    });
    child.on('error', reject);
    child.on('exit', (code, signal) =>
      reject(new Error(`the process that duplicates descriptors exited with ${signal ?? code}`)),
    );
    child.send(count, listeningHandle(server) as Server, (error) => error && reject(error));
  });
