/**
 * A load that uses little CPU, for a machine whose processors all belong to the server: signals in waves of frames, created and written
 * together; of received frames only the headers are read.
 */
import { request } from 'node:http';
import type { Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

export type LightJob = { base: string; dialect: 'bare' | 'genkan'; rooms: number; wave: number; seconds: number };
/** Signals delivered in so many seconds. */
export type LightMeasured = { done: number; seconds: number };

const job: LightJob = JSON.parse(process.argv[2] ?? '');
const sdp = 'a=candidate:1 1 udp 2122260223 192.0.2.1 50000 typ host\\r\\n'.repeat(17);
let done = 0;

/** An upgraded connection that reports each text frame by the start and end of its text in a buffer. */
type Line = { socket: Socket; onText: (bytes: Buffer, from: number, end: number) => void };

const open = (room: number): Promise<Line> =>
  new Promise((resolve, reject) => {
    const url = `${job.base.replace('ws:', 'http:')}/rooms/light-${process.pid}-${room}/ws`;
    const headers = {
      Connection: 'Upgrade',
      Upgrade: 'websocket',
      'Sec-WebSocket-Version': '13',
      'Sec-WebSocket-Key': 'AAAAAAAAAAAAAAAAAAAAAA==',
      'Sec-WebSocket-Protocol': 'genkan.v1',
    };
    const asked = request(url, { headers, agent: false });
    asked.on('upgrade', (_, socket, head) => {
      const line: Line = { socket, onText: () => {} };
      const read = framesOf((bytes, from, end) => line.onText(bytes, from, end));
      socket.on('data', read).on('error', reject);
      if (head.length > 0) read(head);
      resolve(line);
    });
    asked.on('error', reject).end();
  });

/** Finds the frames in received data; a server sends them unmasked (RFC 6455, section 5.2). */
const framesOf = (found: Line['onText']): ((chunk: Buffer) => void) => {
  let rest: Buffer = Buffer.alloc(0);
  return (chunk) => {
    const bytes = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    let at = 0;
    while (at + 4 <= bytes.length) {
      const code = bytes[at + 1] ?? 0;
      const from = at + (code === 126 ? 4 : 2);
      const end = from + (code === 126 ? bytes.readUInt16BE(at + 2) : code);
      if (end > bytes.length) break;
      if (bytes[at] === 0x81) found(bytes, from, end);
      at = end;
    }
    rest = bytes.subarray(at);
  };
};

/** Masked with zeros, which leaves the text unchanged. */
const write = (bytes: Buffer, at: number, text: string): number => {
  bytes[at] = 0x81;
  bytes[at + 1] = 0xfe;
  bytes.writeUInt16BE(text.length, at + 2);
  bytes.writeUInt32BE(0, at + 4);
  return at + 8 + bytes.write(text, at + 8, 'latin1');
};

const frame = (text: string): Buffer => {
  const bytes = Buffer.alloc(text.length + 8);
  write(bytes, 0, text);
  return bytes;
};

const join = (line: Line): Promise<string> =>
  new Promise((resolve) => {
    line.onText = (bytes, from, end) => {
      line.onText = () => {};
      resolve(JSON.parse(bytes.toString('utf8', from, end)).self.id);
    };
    // Padded, so that its length takes two bytes like all others.
    line.socket.write(frame('{"type":"join"}'.padEnd(126)));
  });

/** Answers each wave with one of the same size; → a function that sends the first. */
const speak = (line: Line, to: string): (() => void) => {
  const rest = `","epoch":2,"data":{"sdp":"${sdp}"}}`;
  const wave = Buffer.allocUnsafe(job.wave * (rest.length + 100));
  let [n, missing] = [0, job.wave];
  const say = (): void => {
    let at = 0;
    for (let count = 0; count < job.wave; count += 1)
      at = write(wave, at, `{"type":"signal","n":${++n},"to":"${to}${rest}`);
    line.socket.write(Buffer.from(wave.subarray(0, at)));
  };
  line.onText = (bytes, from, end) => {
    // The first letter of the type: of "signal", and of "error" and "bye", which are not expected.
    const letter = String.fromCharCode(bytes[from + '{"type":"'.length] ?? 0);
    if (letter === 'e' || letter === 'b') throw new Error(bytes.toString('utf8', from, end));
    if (letter !== 's') return;
    done += 1;
    missing -= 1;
    if (missing > 0) return;
    missing = job.wave;
    say();
  };
  return say;
};

for (let room = 0; room < job.rooms; room += 1) {
  const [first, second] = [await open(room), await open(room)];
  // The bare server needs no join.
  const [one, other] = job.dialect === 'bare' ? ['one', 'other'] : [await join(first), await join(second)];
  speak(second, one);
  speak(first, other)();
}
await sleep(500);
const [before, from] = [done, performance.now()];
process.stdout.write('start\n');
await sleep(job.seconds * 1000);
const measured: LightMeasured = { done: done - before, seconds: (performance.now() - from) / 1000 };
process.stdout.write(`${JSON.stringify(measured)}\n`);
process.exit(0);
