/** The control socket: one line of JSON per command, and one line of JSON back once the command has completed. */
import { connect, createServer, type Socket } from 'node:net';
import { z } from 'zod';
import { messageOf, type Result } from '../config/result.ts';
import type { LeveledLogger, ServerControl } from './lifecycle.ts';
import { listen } from './listen.ts';

const controlCommands = ['status', 'reload', 'stop', 'kill', 'pause', 'resume', 'reopen'] as const;
type ControlCommand = (typeof controlCommands)[number];

const request = z.object({ command: z.enum(controlCommands) });
/** `status` only in response to that command; `error` when it is not ok. */
const response = z.object({ ok: z.boolean(), error: z.string().optional(), status: z.unknown().optional() });
type Answer = z.infer<typeof response>;

/**
 * The letters of uWSGI's master-fifo. Its graceful, brutal, chained and workers-only reloads all map to the same rolling
 * reload. `p` toggles between pause and resume.
 */
const letters: Record<string, ControlCommand | 'toggle'> = {
  r: 'reload',
  R: 'reload',
  w: 'reload',
  W: 'reload',
  c: 'reload',
  q: 'stop',
  Q: 'kill',
  p: 'toggle',
  s: 'status',
  l: 'reopen',
};
/** Maximum characters per line; every command is far shorter. */
const maxLineLength = 4096;
/** Maximum connections: more would use up the descriptors that the supervisor needs to start workers. */
const maxConnections = 64;
/** ms until a line must have arrived. */
const lineTimeout = 10_000;

/** @throws when the path cannot be bound */
export const openControl = async (
  path: string,
  control: ServerControl,
  log: LeveledLogger,
): Promise<{ close(): Promise<void> }> => {
  const running = new Set<Promise<void>>();
  const track = (work: Promise<void>): void => {
    running.add(work);
    work.finally(() => running.delete(work));
  };
  const server = createServer((socket) => handleConnection(socket, control, log, track));
  server.maxConnections = maxConnections;
  const remove = await listen(server, { kind: 'unix', path }, { mode: '600' });
  return {
    async close() {
      remove();
      server.close();
      // The client that sent `stop` still gets its response.
      await Promise.all(running);
    },
  };
};

/** Maximum characters of a response; the status of 1000 workers is shorter. */
const maxResponseLength = 16 * 1024 * 1024;

/** Sends a command to a running server and waits for the response. @throws when there is none, or another program answers */
export const ask = (path: string, command: ControlCommand): Promise<Answer> =>
  new Promise((resolve, reject) => {
    const socket = connect(path);
    let received = '';
    socket.setEncoding('utf8');
    socket.on('connect', () => socket.write(`${JSON.stringify({ command })}\n`));
    socket.on('data', (text: string) => {
      received += text;
      const isComplete = text.includes('\n');
      if (!isComplete && received.length <= maxResponseLength) return;
      const { data } = response.safeParse(isComplete ? parseJson(received) : undefined);
      if (data) resolve(data);
      else reject(new Error('another program listens there'));
      socket.destroy();
    });
    socket.on('error', reject);
    socket.on('close', () => reject(new Error('the connection was closed without a response')));
  });

const handleConnection = (
  socket: Socket,
  control: ServerControl,
  log: LeveledLogger,
  track: (work: Promise<void>) => void,
): void => {
  let received = '';
  let queue = Promise.resolve();
  socket.setEncoding('utf8');
  socket.setTimeout(lineTimeout, () => socket.destroy());
  // The client may have disconnected before its response.
  socket.on('error', () => {});
  socket.on('data', (text: string) => {
    received += text;
    if (received.length > maxLineLength) socket.destroy();
    const lines = received.split('\n');
    received = lines.pop() ?? '';
    for (const line of lines) {
      queue = queue.then(() => reply(socket, line, control, log));
      track(queue);
    }
  });
};

const reply = async (socket: Socket, line: string, control: ServerControl, log: LeveledLogger): Promise<void> => {
  // A reload has no time limit.
  socket.setTimeout(0);
  const result = await execute(line, control, log).catch((error: unknown): Answer => {
    log.error({ err: error, line: line.trim() }, 'a command failed');
    return { ok: false, error: messageOf(error) };
  });
  if (socket.writable) socket.write(`${JSON.stringify(result)}\n`);
  socket.setTimeout(lineTimeout);
};

const execute = async (line: string, control: ServerControl, log: LeveledLogger): Promise<Answer> => {
  const command = parseCommand(line.trim(), control.paused);
  if (!command)
    return { ok: false, error: `unknown command; send {"command":"…"} with one of ${controlCommands.join(', ')}` };
  if (command !== 'status') log.info({ command }, 'command');
  switch (command) {
    case 'status':
      return { ok: true, status: control.status() };
    case 'reload':
      return asAnswer(await control.reload());
    case 'pause':
    case 'resume':
      control.paused = command === 'pause';
      return { ok: true };
    case 'stop':
      await control.stop();
      return { ok: true };
    case 'reopen':
      control.reopen();
      return { ok: true };
    case 'kill':
      control.kill();
      return { ok: true };
  }
};

const parseCommand = (line: string, paused: boolean): ControlCommand | undefined => {
  const letter = Object.hasOwn(letters, line) ? letters[line] : undefined;
  if (letter === 'toggle') return paused ? 'resume' : 'pause';
  return letter ?? request.safeParse(parseJson(line)).data?.command;
};

const parseJson = (line: string): unknown => {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
};

const asAnswer = (result: Result): Answer =>
  'faults' in result ? { ok: false, error: result.faults.join('\n') } : { ok: true };
