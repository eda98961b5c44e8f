/**
 * The load, in a process of its own. Takes a job as JSON in its first argument and prints the result as JSON. Both servers get the same
 * frames; only joining and leaving differ.
 */
import WebSocket from 'ws';

export type Job = {
  /** ws://… */
  base: string;
  /** Other URLs that have the same rooms, used in turn; with `spread` each peer of a room connects to another one. */
  beside?: string[];
  spread?: boolean;
  dialect: 'bare' | 'genkan';
  /** What is needed besides the URL: headers, the trusted certificate. */
  client?: { headers?: Record<string, string>; ca?: string; servername?: string };
  rooms: number;
  work: /** In rooms of two each peer keeps `inFlight` signals in flight, for `seconds`. */
    | { kind: 'relay'; inFlight: number; seconds: number }
    /** `rate` signals a second over all peers of rooms of two, one after the other. */
    | { kind: 'latency'; rate: number; seconds: number }
    /** One text to everyone in flight in each room of `peers`; its last receiver sends the next. */
    | { kind: 'broadcast'; peers: number; seconds: number }
    /** Two clients of each room join and leave, or are cut off and resume, repeatedly. */
    | { kind: 'joins' | 'resumes'; seconds: number }
    /** Connected and, once each peer of the rooms of two has sent so many signals, silent until the process is killed. */
    | { kind: 'idle'; signals: number };
};
/** `done`: messages delivered, or joins and resumes. */
export type Measured = { done: number; p50: number; p99: number };

type Peer = { socket: WebSocket; send: () => void; received: (text: string) => void };
type Joined = { self: { id: string }; session: string; seq: number };

// About the size of an offer: 1 KB.
const sdp = 'a=candidate:1 1 udp 2122260223 192.0.2.1 50000 typ host\\r\\n'.repeat(17);
const job: Job = JSON.parse(process.argv[2] ?? '');
const isBare = job.dialect === 'bare';
const bases = [job.base, ...(job.beside ?? [])];
let done = 0;

const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

let opened = 0;
const open = (room: number, side = 0): Promise<WebSocket> =>
  new Promise((resolve, reject) => {
    // From several addresses, because one has ports for only 28 000 connections.
    const localAddress = `127.0.0.${2 + (opened++ % 8)}`;
    const base = bases[(room + (job.spread ? side : 0)) % bases.length];
    const url = `${base}/rooms/bench-${process.pid}-${room}/ws`;
    const socket = new WebSocket(url, 'genkan.v1', { perMessageDeflate: false, localAddress, ...job.client });
    socket.once('open', () => resolve(socket));
    socket.once('error', (error) => reject(new Error(`${url}: ${error.message}`)));
  });

/** The bare server needs no join. */
const join = async (socket: WebSocket, back: object = {}): Promise<Joined | undefined> => {
  if (isBare) return undefined;
  socket.send(JSON.stringify({ type: 'join', ...back }));
  return new Promise((resolve) =>
    socket.once('message', (data: Buffer) => {
      const message = JSON.parse(data.toString());
      if (message.type !== 'joined') throw new Error(data.toString());
      resolve(message);
    }),
  );
};

/** A peer that sends what `frame` creates from its numbers, and reports received texts of that type. */
const peerOf = (socket: WebSocket, type: string, frame: (n: number) => string): Peer => {
  let n = 0;
  const peer: Peer = { socket, send: () => socket.send(frame(++n)), received: () => {} };
  socket.on('message', (data: Buffer) => {
    const text = data.toString();
    if (text.startsWith(`{"type":"${type}"`)) peer.received(text);
    else if (text.startsWith('{"type":"error"') || text.startsWith('{"type":"bye"')) throw new Error(text);
  });
  return peer;
};

/** Two peers of a room; each sends signals to the other. */
const pair = async (room: number): Promise<Peer[]> => {
  const sockets = [await open(room, 0), await open(room, 1)];
  const ids: (string | undefined)[] = [];
  for (const socket of sockets) ids.push((await join(socket))?.self.id);
  return sockets.map((socket, own) => {
    const to = ids[1 - own] ?? 'AAAAAAAAAAAA';
    return peerOf(
      socket,
      'signal',
      (n) => `{"type":"signal","n":${n},"to":"${to}","epoch":2,"data":{"at":${performance.now()},"sdp":"${sdp}"}}`,
    );
  });
};

/** Creates the rooms, some at a time. */
const inRooms = async <T>(make: (room: number) => Promise<T>): Promise<T[]> => {
  const made: T[] = [];
  for (let first = 0; first < job.rooms; first += 16) {
    const some = Array.from({ length: Math.min(16, job.rooms - first) }, (_, index) => make(first + index));
    made.push(...(await Promise.all(some)));
  }
  return made;
};

/**
 * What was done in these seconds, after a warm-up of `warm` operations that lets the server's code be compiled: before that it costs
 * several times as much. With very many messages in flight (`wave`) it takes longer: for those that arrive at the start, or were sent by
 * the end, the server's time is outside the measurement.
 */
const measure = async (seconds: number, warm: number, wave = 0): Promise<Measured> => {
  await sleep(500);
  while (done < Math.max(warm, 2 * wave)) await sleep(50);
  const before = done;
  process.stdout.write('start\n');
  await sleep(seconds * 1000);
  while (done - before < 10 * wave) await sleep(50);
  return { done: done - before, p50: 0, p99: 0 };
};

const relay = async (inFlight: number, seconds: number): Promise<Measured> => {
  const peers = (await inRooms(pair)).flat();
  for (const peer of peers)
    peer.received = (() => {
      let pending = 0;
      return () => {
        done += 1;
        pending += 1;
        // Answered in bursts as large as they arrived, like trickled candidates.
        if (pending < inFlight) return;
        pending = 0;
        for (let i = 0; i < inFlight; i += 1) peer.send();
      };
    })();
  // One side of each pair starts; then they answer each other.
  for (let i = 0; i < peers.length; i += 2) for (let j = 0; j < inFlight; j += 1) peers[i]?.send();
  return measure(seconds, 20_000, job.rooms * inFlight);
};

const latency = async (rate: number, seconds: number): Promise<Measured> => {
  const peers = (await inRooms(pair)).flat();
  const times: number[] = [];
  for (const peer of peers)
    peer.received = (text) => times.push(performance.now() - Number(/"at":([\d.]+)/.exec(text)?.[1]));
  process.stdout.write('start\n');
  const from = performance.now();
  for (let sent = 0; performance.now() - from < seconds * 1000; ) {
    for (const due = ((performance.now() - from) * rate) / 1000; sent < due; sent += 1)
      peers[sent % peers.length]?.send();
    await new Promise((resolve) => setImmediate(resolve));
  }
  await sleep(200);
  times.sort((a, b) => a - b);
  const at = (share: number) => times[Math.floor(times.length * share)] ?? 0;
  return { done: times.length, p50: at(0.5), p99: at(0.99) };
};

const broadcast = async (size: number, seconds: number): Promise<Measured> => {
  const rooms = await inRooms(async (room) => {
    const peers: Peer[] = [];
    for (let i = 0; i < size; i += 1) {
      const socket = await open(room);
      await join(socket);
      peers.push(peerOf(socket, 'chat', (n) => `{"type":"chat","n":${n},"text":"${'hello, everyone '.repeat(12)}"}`));
    }
    return peers;
  });
  for (const peers of rooms) {
    let missing = size - 1;
    for (const peer of peers)
      peer.received = () => {
        done += 1;
        missing -= 1;
        if (missing > 0) return;
        missing = size - 1;
        peer.send();
      };
    peers[0]?.send();
  }
  return measure(seconds, 20_000);
};

/** Joins and leaves; for the bare server: connects and closes. */
const comeAndGo = async (room: number): Promise<void> => {
  for (;;) {
    const socket = await open(room);
    await join(socket);
    const closed = new Promise((resolve) => socket.once('close', resolve));
    if (isBare) socket.close();
    else socket.send('{"type":"leave"}');
    await closed;
    done += 1;
  }
};

/** Is cut off and resumes; for the bare server: connects again. */
const comeBack = async (room: number): Promise<void> => {
  let socket = await open(room);
  const joined = await join(socket);
  for (;;) {
    socket.terminate();
    socket = await open(room);
    const again = await join(socket, { session: joined?.session, after: joined?.seq });
    if (joined && again) joined.seq = again.seq;
    done += 1;
  }
};

const repeat = async (life: (room: number) => Promise<void>, seconds: number): Promise<Measured> => {
  const fail = (error: Error) => {
    throw error;
  };
  for (let room = 0; room < job.rooms; room += 1) for (const _ of [1, 2]) life(room).catch(fail);
  return measure(seconds, 4000);
};

const idle = async (signals: number): Promise<never> => {
  for (const peer of (await inRooms(pair)).flat()) for (let i = 0; i < signals; i += 1) peer.send();
  process.stdout.write('start\n');
  return new Promise(() => setInterval(() => {}, 1000));
};

const run = ({ work }: Job): Promise<Measured> => {
  switch (work.kind) {
    case 'relay':
      return relay(work.inFlight, work.seconds);
    case 'latency':
      return latency(work.rate, work.seconds);
    case 'broadcast':
      return broadcast(work.peers, work.seconds);
    case 'joins':
      return repeat(comeAndGo, work.seconds);
    case 'resumes':
      return repeat(comeBack, work.seconds);
    case 'idle':
      return idle(work.signals);
  }
};

process.stdout.write(`${JSON.stringify(await run(job))}\n`);
process.exit(0);
