/** Fuzzing of the live listener: misbehaving peers of every kind, and well-behaved ones that must not be affected. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { TurnShares } from '../../../app/budgets/turn-shares.ts';
import { UnsentBytes } from '../../../app/budgets/unsent-bytes.ts';
import { createUwsgiServer } from '../../../app/listener/uwsgi/server.ts';
import { type Address, addressOf, connectTo, encodePacket, readAnswer, requestVariables } from './client.ts';
import { anyPacket, inPieces, pick, readSlowly, type Variables } from './fuzz-packets.ts';
import { type Random, randomFrom } from './random.ts';

/** `answered`: valid requests that got the right response. `requests`: what the listener passed on, of any peer. */
export type LiveCounts = { connections: number; answered: number; requests: number; refused: number; cut: number };

const bufferSize = 16_384;
const atOnce = 48;
/** ms; no peer is waited for longer than the longest of them, plus lingering and some scheduling. */
const times = { headerTimeout: 250, bodyTimeout: 250, idleTimeout: 500, harakiri: 400 };
const patience = 15_000;

/** How many requests with this mark may still arrive; any other was sent by no peer, or arrives a second time. */
type Expected = Map<string, number>;
type Fuzz = { random: Random; expected: Expected; counts: LiveCounts; faults: string[]; addresses: Address[] };

/**
 * @param turn called after every thousand connections
 * @throws if a request arrives that no peer sent, a valid one is answered wrongly, or a connection hangs
 */
export const fuzzLive = async (seed: number, connections: number, turn?: () => void): Promise<LiveCounts> => {
  const counts: LiveCounts = { connections: 0, answered: 0, requests: 0, refused: 0, cut: 0 };
  const fuzz: Fuzz = { random: randomFrom(seed), expected: new Map(), counts, faults: [], addresses: [] };
  const directory = mkdtempSync(join(tmpdir(), 'uwsgi-fuzz-'));
  const servers = [await serve(fuzz, 0), await serve(fuzz, join(directory, 'app.sock'))];
  fuzz.addresses = servers.map(addressOf);
  try {
    await Promise.all(Array.from({ length: atOnce }, () => worker(fuzz, connections, turn)));
    await untilEmpty(servers);
    assert.deepEqual(fuzz.faults, []);
    return counts;
  } finally {
    for (const server of servers) {
      server.closeAllConnections();
      server.close();
    }
    rmSync(directory, { recursive: true, force: true });
  }
};

const serve = async (fuzz: Fuzz, where: number | string): Promise<Server> => {
  const yes = () => true;
  const log = { warn: () => void fuzz.counts.refused++ };
  const limits = { bufferSize, limitPost: 1_000_000, ...times };
  const server = createUwsgiServer({
    ...limits,
    allowFrom: yes,
    admit: yes,
    isBarred: () => false,
    turns: new TurnShares(setImmediate),
    unsent: new UnsentBytes(1024 * 1024 * 1024),
    refusedTo: () => {},
    answersFor: yes,
    log,
  });
  server.on('request', (request, response) => handle(fuzz, request, response));
  server.on('upgrade', (request: IncomingMessage, socket: Socket) => {
    arrived(fuzz, request);
    socket.on('error', () => {});
    socket.end('HTTP/1.1 101 Switching Protocols\r\n\r\n');
    setTimeout(() => socket.destroy(), 50);
  });
  if (typeof where === 'number') server.listen(where, '127.0.0.1');
  else server.listen(where);
  await once(server, 'listening');
  return server;
};

const expect = ({ expected }: Fuzz, mark: string): void => {
  expected.set(mark, (expected.get(mark) ?? 0) + 1);
};

const arrived = (fuzz: Fuzz, request: IncomingMessage): boolean => {
  fuzz.counts.requests++;
  const mark = String(request.headers['x-mark']);
  const left = fuzz.expected.get(mark) ?? 0;
  if (left > 1) fuzz.expected.set(mark, left - 1);
  else fuzz.expected.delete(mark);
  const known = left > 0;
  if (!known) fuzz.faults.push(`a request that nobody sent: ${request.method} ${request.url} mark ${mark}`);
  return known;
};

/** Responds in the way given by the mark's last digit; to valid requests with the mark and the length of the body. */
const handle = async (fuzz: Fuzz, request: IncomingMessage, response: ServerResponse): Promise<void> => {
  if (!arrived(fuzz, request)) return void response.destroy();
  request.on('error', () => {});
  const mark = String(request.headers['x-mark']);
  if (request.headers['x-manner'] === 'never') return;
  if (request.headers['x-manner'] === 'early') return void response.end(mark);
  if (request.headers['x-manner'] === 'large') return void response.end(Buffer.alloc(300_000));
  let length = 0;
  try {
    for await (const chunk of request) length += chunk.length;
  } catch {
    return;
  }
  if (request.headers['x-manner'] === 'streamed') response.write(mark.slice(0, 2));
  response.end(request.headers['x-manner'] === 'streamed' ? `${mark.slice(2)} ${length}` : `${mark} ${length}`);
};

const worker = async (fuzz: Fuzz, connections: number, turn?: () => void): Promise<void> => {
  while (fuzz.counts.connections < connections && fuzz.faults.length === 0) {
    const number = fuzz.counts.connections++;
    if (turn && number % 1000 === 0) turn();
    const mark = `m${number}`;
    try {
      await within(one(fuzz, mark), mark);
    } catch (error) {
      fuzz.faults.push(`${mark}: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
};

const within = async (work: Promise<void>, what: string): Promise<void> => {
  const timer = Promise.withResolvers<never>();
  const late = setTimeout(() => timer.reject(new Error(`${what} hangs`)), patience);
  try {
    await Promise.race([work, timer.promise]);
  } finally {
    clearTimeout(late);
  }
};

const one = (fuzz: Fuzz, mark: string): Promise<void> => {
  const manners = [sound, sound, hurtOne, hurtOne, hurtOne, cutOff, deaf, withoutEnd];
  return pick(fuzz.random, manners)(fuzz, mark);
};

/** A request whose body and trailing bytes are requests too, which must never be parsed as such. */
const bytesOf = (fuzz: Fuzz, mark: string, manner: string) => {
  const { random } = fuzz;
  const smuggled = encodePacket(requestVariables({ headers: { 'X-Mark': `smuggled-${mark}` } }));
  const body = random(2) === 0 ? Buffer.alloc(0) : Buffer.concat([smuggled, Buffer.alloc(random(30_000))]);
  const method = body.length > 0 ? 'POST' : 'GET';
  const headers = { 'X-Mark': mark, 'X-Manner': manner };
  const vars = requestVariables({ method, url: `/${mark}`, headers, body });
  return { vars, body, smuggled };
};

/** Well-behaved, in pieces, now and then with more bytes than announced: gets its response. */
const sound = async (fuzz: Fuzz, mark: string): Promise<void> => {
  const { random, counts } = fuzz;
  const manner = pick(random, ['plain', 'streamed', 'plain', 'early']);
  const { vars, body, smuggled } = bytesOf(fuzz, mark, manner);
  expect(fuzz, mark);
  const extra = random(4) === 0 ? smuggled : Buffer.alloc(0);
  const socket = connectTo(pick(random, fuzz.addresses));
  const answered = readUntilEnd(socket);
  const bytes = Buffer.concat([encodePacket(vars), body]);
  // Extra bytes go with the last piece: later they would reach a connection that is answered and closed.
  await send(random, socket, bytes.subarray(0, -1));
  socket.write(Buffer.concat([bytes.subarray(-1), extra]));
  const raw = await answered.catch((error: Error) => {
    throw new Error(`${manner}, ${body.length} bytes of body, ${extra.length} more: ${error.message}`);
  });
  const { status, body: text } = readAnswer(raw);
  const wanted = manner === 'early' ? mark : `${mark} ${body.length}`;
  assert.deepEqual([status, text.toString()], [200, wanted]);
  counts.answered++;
};

/** Arbitrary bytes; only what a second parser accepts, with this mark, may be passed on. */
const hurtOne = async (fuzz: Fuzz, mark: string): Promise<void> => {
  const { random } = fuzz;
  const { vars, body } = bytesOf(fuzz, mark, pick(random, ['plain', 'streamed', 'early', 'never']));
  const bytes = Buffer.concat([anyPacket(random, vars), body]);
  const reading = readSlowly(bytes, bufferSize);
  if (reading.sound) expect(fuzz, markIn(reading.vars));
  const socket = connectTo(pick(random, fuzz.addresses));
  await send(random, socket, bytes);
  await readUntilEnd(socket, random(2) === 0).catch(() => {});
};

/** The mark as the listener will read it: it may be damaged, repeated or missing. */
const markIn = (vars: Variables): string => {
  const isMark = ([name]: [string, string]) =>
    name.startsWith('HTTP_') && name.slice(5).toLowerCase().replaceAll('_', '-') === 'x-mark';
  const marks = vars.filter(isMark).map(([, value]) => value);
  return marks.length > 0 ? marks.join(', ') : 'undefined';
};

/** Disconnects somewhere within a request, cleanly or by a reset. */
const cutOff = async (fuzz: Fuzz, mark: string): Promise<void> => {
  const { random, counts } = fuzz;
  const { vars, body } = bytesOf(fuzz, mark, pick(random, ['plain', 'streamed', 'never', 'large']));
  expect(fuzz, mark);
  const bytes = Buffer.concat([encodePacket(vars), body]);
  const socket = connectTo(pick(random, fuzz.addresses));
  socket.on('error', () => {});
  await send(random, socket, bytes.subarray(0, random(bytes.length + 1)));
  if (random(2) === 0) await sleep(random(5));
  counts.cut++;
  // Unix sockets have no reset.
  if (random(2) === 0 && socket.remoteAddress !== undefined) socket.resetAndDestroy();
  else socket.destroy();
  if (!socket.closed) await once(socket, 'close');
};

/** Does not read for a while. */
const deaf = async (fuzz: Fuzz, mark: string): Promise<void> => {
  const { vars, body } = bytesOf(fuzz, mark, 'large');
  expect(fuzz, mark);
  const socket = connectTo(pick(fuzz.random, fuzz.addresses));
  socket.pause();
  socket.on('error', () => {});
  await send(fuzz.random, socket, Buffer.concat([encodePacket(vars), body]));
  await sleep(fuzz.random(20));
  socket.destroy();
  if (!socket.closed) await once(socket, 'close');
};

/** Sends less than announced and waits; or makes a request that is never answered. Each is ended by a timeout. */
const withoutEnd = async (fuzz: Fuzz, mark: string): Promise<void> => {
  const { random } = fuzz;
  // Slow: so most of them behave like the ones that disconnect.
  if (random(8) > 0) return cutOff(fuzz, mark);
  const { vars, body } = bytesOf(fuzz, mark, pick(random, ['never', 'plain']));
  expect(fuzz, mark);
  const bytes = Buffer.concat([encodePacket(vars), body]);
  const socket = connectTo(pick(random, fuzz.addresses));
  await send(random, socket, bytes.subarray(0, random(bytes.length + 1)));
  await readUntilEnd(socket).catch(() => {});
};

const send = async (random: Random, socket: Socket, bytes: Buffer): Promise<void> => {
  socket.on('error', () => {});
  for (const piece of inPieces(random, bytes)) {
    if (socket.destroyed) return;
    socket.write(piece);
    if (random(3) === 0) await new Promise((resolve) => setImmediate(resolve));
  }
};

/** @param endFirst our side ends before the response has arrived */
const readUntilEnd = (socket: Socket, endFirst = false): Promise<Buffer> =>
  new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    socket.on('data', (chunk: Buffer) => chunks.push(chunk));
    socket.on('error', reject);
    socket.on('close', () => resolve(Buffer.concat(chunks)));
    if (socket.closed) resolve(Buffer.alloc(0));
    if (endFirst) socket.end();
  });

const untilEmpty = async (servers: Server[]): Promise<void> => {
  for (const server of servers) {
    const count = () => new Promise<number>((resolve) => server.getConnections((_, open) => resolve(open)));
    for (let tries = 0; (await count()) > 0; tries++) {
      assert.ok(tries < patience / 50, 'connections hang');
      await sleep(50);
    }
  }
};
