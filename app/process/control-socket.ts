/** The control socket: one line of JSON for each command, one line of JSON back once it is carried out. */
import { connect, createServer, type Socket } from 'node:net';
import { z } from 'zod';
import type { Log, Outcome, ServerControl } from './lifecycle.ts';
import { listen } from './listen.ts';

export const controlCommands = ['status', 'reload', 'stop', 'kill', 'pause', 'resume', 'reopen'] as const;
export type ControlCommand = (typeof controlCommands)[number];

const request = z.object({ command: z.enum(controlCommands) });
/** `status` only in the answer to that command; `error` when it is not ok. */
const answer = z.object({ ok: z.boolean(), error: z.string().optional(), status: z.unknown().optional() });
export type Answer = z.infer<typeof answer>;

/**
 * The letters of uWSGI's master-fifo. Its graceful, brutal, chained and workers-only reloads are one here: worker by
 * worker. `p` asks for the other of pause and resume.
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
/** Characters of a line; no command comes near. */
const longest = 4096;
/** Administrators at a time: more would take the supervisor's descriptors, which it needs to start workers. */
const mostConnections = 64;
/** ms until a line must have come. */
const patience = 10_000;

/** @throws when the path cannot be had */
export const openControl = async (path: string, life: ServerControl, log: Log): Promise<{ close(): Promise<void> }> => {
  const running = new Set<Promise<void>>();
  const follow = (work: Promise<void>): void => {
    running.add(work);
    work.finally(() => running.delete(work));
  };
  const server = createServer((socket) => converse(socket, life, log, follow));
  server.maxConnections = mostConnections;
  const remove = await listen(server, { kind: 'unix', path }, { mode: '600' });
  return {
    async close() {
      remove();
      server.close();
      // Who asked for the end is told that it has come.
      await Promise.all(running);
    },
  };
};

/** Gives a command to a running server and waits for its answer. @throws when nobody answers */
export const ask = (path: string, command: ControlCommand): Promise<Answer> =>
  new Promise((resolve, reject) => {
    const socket = connect(path);
    let heard = '';
    socket.setEncoding('utf8');
    socket.on('connect', () => socket.write(`${JSON.stringify({ command })}\n`));
    socket.on('data', (text: string) => {
      heard += text;
      if (!heard.includes('\n')) return;
      resolve(answer.parse(JSON.parse(heard)));
      socket.end();
    });
    socket.on('error', reject);
    socket.on('close', () => reject(new Error('it went away without an answer')));
  });

const converse = (socket: Socket, life: ServerControl, log: Log, follow: (work: Promise<void>) => void): void => {
  let heard = '';
  let busy = Promise.resolve();
  socket.setEncoding('utf8');
  socket.setTimeout(patience, () => socket.destroy());
  // Whoever asked may have gone before the answer.
  socket.on('error', () => {});
  socket.on('data', (text: string) => {
    heard += text;
    if (heard.length > longest) socket.destroy();
    const lines = heard.split('\n');
    heard = lines.pop() ?? '';
    for (const line of lines) {
      busy = busy.then(() => reply(socket, line, life, log));
      follow(busy);
    }
  });
};

const reply = async (socket: Socket, line: string, life: ServerControl, log: Log): Promise<void> => {
  // A reload takes as long as it takes.
  socket.setTimeout(0);
  const said = await obey(line, life, log);
  if (socket.writable) socket.write(`${JSON.stringify(said)}\n`);
  socket.setTimeout(patience);
};

const obey = async (line: string, life: ServerControl, log: Log): Promise<Answer> => {
  const command = commandIn(line.trim(), life.paused);
  if (!command) return { ok: false, error: `no command; write {"command":"…"} with ${controlCommands.join(', ')}` };
  if (command !== 'status') log.info({ command }, 'command');
  switch (command) {
    case 'status':
      return { ok: true, status: life.status() };
    case 'reload':
      return asAnswer(await life.reload());
    case 'pause':
    case 'resume':
      life.paused = command === 'pause';
      return { ok: true };
    case 'stop':
      await life.stop();
      return { ok: true };
    case 'reopen':
      life.reopen();
      return { ok: true };
    case 'kill':
      life.kill();
      return { ok: true };
  }
};

const commandIn = (line: string, paused: boolean): ControlCommand | undefined => {
  const letter = Object.hasOwn(letters, line) ? letters[line] : undefined;
  if (letter === 'toggle') return paused ? 'resume' : 'pause';
  return letter ?? request.safeParse(parsed(line)).data?.command;
};

const parsed = (line: string): unknown => {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
};

const asAnswer = (outcome: Outcome): Answer => (outcome.ok ? { ok: true } : { ok: false, error: outcome.reason });
