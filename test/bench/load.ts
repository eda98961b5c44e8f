/**
 * The load, in a process of its own. Takes a job as JSON in its first argument and prints what it measured as JSON.
 * The same frames go to either server; only how a room is entered differs.
 */
import WebSocket from 'ws';

export type Job = {
  /** ws://… */
  base: string;
  dialect: 'bare' | 'genkan';
  rooms: number;
  work: /** Each peer keeps `inFlight` messages under way, for `seconds`. */
    | { kind: 'relay'; inFlight: number; seconds: number }
    /** `rate` messages a second over all peers, one after the other. */
    | { kind: 'latency'; rate: number; seconds: number }
    /** Connected and silent until the process is killed. */
    | { kind: 'idle' };
};
export type Measured = { delivered: number; seconds: number; p50: number; p99: number };

type Peer = { socket: WebSocket; send: () => void; received: (text: string) => void };

// About what an offer takes: 1 KB.
const sdp = 'a=candidate:1 1 udp 2122260223 192.0.2.1 50000 typ host\\r\\n'.repeat(17);
let delivered = 0;

const openSocket = (url: string): Promise<WebSocket> =>
  new Promise((resolve, reject) => {
    const socket = new WebSocket(url, 'genkan.v1', { perMessageDeflate: false });
    socket.once('open', () => resolve(socket));
    socket.once('error', reject);
  });

const open = (job: Job, path: string) =>
  openSocket(`${job.base}/rooms/${path}/ws`).catch((error: Error) => {
    throw new Error(`${job.base}: ${error.message}`);
  });

/** Two peers of a room; each sends frames to the other and is told of those that arrive. */
const pair = async (job: Job, index: number): Promise<[Peer, Peer]> => {
  const room = `bench-${process.pid}-${index}`;
  const sockets = [await open(job, room), await open(job, room)] as const;
  const joined = job.dialect === 'bare' ? undefined : [await join(sockets[0]), await join(sockets[1])];
  const peer = (own: 0 | 1): Peer => {
    const other = own === 0 ? 1 : 0;
    const to = joined?.[other]?.id ?? 'AAAAAAAAAAAA';
    let n = 0;
    const self: Peer = {
      socket: sockets[own],
      send: () =>
        sockets[own].send(
          `{"type":"signal","n":${++n},"to":"${to}","epoch":2,"data":{"at":${performance.now()},"sdp":"${sdp}"}}`,
        ),
      received: () => {},
    };
    sockets[own].on('message', (data: Buffer) => {
      const text = data.toString();
      if (text.startsWith('{"type":"signal"')) self.received(text);
      else if (text.startsWith('{"type":"error"')) throw new Error(text);
    });
    return self;
  };
  return [peer(0), peer(1)];
};

const join = (socket: WebSocket): Promise<{ id: string }> =>
  new Promise((resolve) => {
    socket.once('message', (data: Buffer) => resolve(JSON.parse(data.toString()).self));
    socket.send('{"type":"join"}');
  });

const relay = async (peers: Peer[], inFlight: number, seconds: number): Promise<Measured> => {
  for (const peer of peers)
    peer.received = (() => {
      let pending = 0;
      return () => {
        delivered += 1;
        pending += 1;
        // Answered in bursts as large as they came, as trickled candidates are.
        if (pending < inFlight) return;
        pending = 0;
        for (let i = 0; i < inFlight; i += 1) peer.send();
      };
    })();
  // One side of each pair begins; from then on they answer each other.
  for (let i = 0; i < peers.length; i += 2) for (let j = 0; j < inFlight; j += 1) peers[i]?.send();
  await new Promise((resolve) => setTimeout(resolve, 500));
  const [from, before] = [performance.now(), delivered];
  process.stdout.write('start\n');
  await new Promise((resolve) => setTimeout(resolve, seconds * 1000));
  return { delivered: delivered - before, seconds: (performance.now() - from) / 1000, p50: 0, p99: 0 };
};

const latency = async (peers: Peer[], rate: number, seconds: number): Promise<Measured> => {
  const times: number[] = [];
  for (const peer of peers)
    peer.received = (text) => {
      const at = Number(/"at":([\d.]+)/.exec(text)?.[1]);
      times.push(performance.now() - at);
    };
  process.stdout.write('start\n');
  const from = performance.now();
  for (let sent = 0; performance.now() - from < seconds * 1000; ) {
    for (const due = ((performance.now() - from) * rate) / 1000; sent < due; sent += 1)
      peers[sent % peers.length]?.send();
    await new Promise((resolve) => setImmediate(resolve));
  }
  await new Promise((resolve) => setTimeout(resolve, 200));
  times.sort((a, b) => a - b);
  const at = (share: number) => times[Math.floor(times.length * share)] ?? 0;
  return { delivered: times.length, seconds, p50: at(0.5), p99: at(0.99) };
};

const job: Job = JSON.parse(process.argv[2] ?? '');
const peers: Peer[] = [];
for (let i = 0; i < job.rooms; i += 1) peers.push(...(await pair(job, i)));
if (job.work.kind === 'idle') {
  process.stdout.write('start\n');
  await new Promise(() => setInterval(() => {}, 1000));
} else {
  const { kind, seconds } = job.work;
  const done = kind === 'relay' ? relay(peers, job.work.inFlight, seconds) : latency(peers, job.work.rate, seconds);
  process.stdout.write(`${JSON.stringify(await done)}\n`);
  process.exit(0);
}
