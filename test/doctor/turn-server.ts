/** As much of a TURN server as the doctor uses: challenges, checks signatures, and succeeds or returns the given error. */
import { createHmac, randomBytes } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';
import { type Attribute, attributes, firstOf, message, methods, signed, uint16 } from '../../app/doctor/stun.ts';
import { type Files, pemOf } from './certificates.ts';

export type Turn = { port: number; url: string; asked: number; stop(): void };
export type Habits = {
  transport?: 'udp' | 'tcp' | 'tls';
  files?: Files;
  /** The error for correctly signed requests. */
  refuses?: number;
  /** The number of requests to ignore. */
  deaf?: number;
};

const challenge = { realm: Buffer.from('tests'), nonce: randomBytes(8) };

export const startTurn = async (secret: string, habits: Habits = {}): Promise<Turn> => {
  const { transport = 'udp', files } = habits;
  let deaf = habits.deaf ?? 0;
  const turn = { port: 0, url: '', asked: 0, stop: () => {} };
  const hear = (request: Buffer, reply: (answer: Buffer) => void) => {
    turn.asked += 1;
    if (deaf-- <= 0) reply(answerTo(request, secret, habits));
  };
  if (transport === 'udp') {
    const socket = createSocket('udp4');
    socket.on('message', (data, { port, address }) => hear(data, (answer) => socket.send(answer, port, address)));
    await new Promise<void>((resolve) => socket.bind(0, '127.0.0.1', resolve));
    turn.port = socket.address().port;
    turn.stop = () => socket.close();
  } else {
    const tls = files ? { cert: pemOf(files.chain), key: pemOf(files.key) } : {};
    const talk = (socket: Socket) => hearStream(socket, hear);
    const server: Server = transport === 'tls' ? createTlsServer(tls, talk) : createServer(talk);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    turn.port = (server.address() as AddressInfo).port;
    turn.stop = () => server.close();
  }
  const name = transport === 'tls' ? 'turns:localhost' : 'turn:127.0.0.1';
  turn.url = `${name}:${turn.port}?transport=${transport === 'udp' ? 'udp' : 'tcp'}`;
  return turn;
};

/** Responses are sent in two parts, as may happen over TCP. */
const hearStream = (socket: Socket, hear: (request: Buffer, reply: (answer: Buffer) => void) => void): void => {
  let rest = Buffer.alloc(0);
  socket.on('error', () => {});
  socket.on('data', (data: Buffer) => {
    rest = Buffer.concat([rest, data]);
    for (let first = firstOf(rest); first; first = firstOf(rest)) {
      rest = rest.subarray(first.length);
      hear(first, (answer) => {
        socket.write(answer.subarray(0, 10));
        setImmediate(() => socket.write(answer.subarray(10)));
      });
    }
  });
};

const answerTo = (request: Buffer, secret: string, { refuses }: Habits): Buffer => {
  const method = request.readUInt16BE(0);
  const transaction = request.subarray(8, 20);
  const yes = (body: Attribute[] = []) => message(method | 0x100, transaction, body);
  const no = (code: number, body: Attribute[] = []) =>
    message(method | 0x110, transaction, [[attributes.error, errorOf(code)], ...body]);
  if (method === methods.bind) return yes();
  const username = usernameIn(request);
  const credential = createHmac('sha1', secret).update(username).digest('base64');
  const rightly = signed(methods.allocate, transaction, [], { username, credential }, challenge);
  if (username === '' || !isSigned(request, rightly.length, { username, credential }))
    return no(401, [
      [attributes.realm, challenge.realm],
      [attributes.nonce, challenge.nonce],
    ]);
  return refuses === undefined || method !== methods.allocate ? yes() : no(refuses);
};

const errorOf = (code: number): Buffer => Buffer.from([0, 0, Math.floor(code / 100), code % 100]);

/** Computes the signature of what precedes its attribute, and compares. */
const isSigned = (request: Buffer, least: number, by: { username: string; credential: string }): boolean => {
  const body: Attribute[] = [];
  for (let at = 20; at < request.length && request.readUInt16BE(at) !== attributes.username; ) {
    const length = request.readUInt16BE(at + 2);
    body.push([request.readUInt16BE(at), request.subarray(at + 4, at + 4 + length)]);
    at += 4 + length;
  }
  const [method, transaction] = [request.readUInt16BE(0), request.subarray(8, 20)];
  const again = method === methods.allocate ? methods.allocate : methods.refresh;
  return request.length >= least && signed(again, transaction, body, by, challenge).equals(request);
};

const usernameIn = (request: Buffer): string => {
  const at = request.indexOf(uint16(attributes.username), 20);
  return at < 0 ? '' : request.toString('utf8', at + 4, at + 4 + request.readUInt16BE(at + 2));
};
