/** GET requests over persistent connections, written and counted by hand: node:http's client would use more CPU than what is measured. */
import { connect, type Socket } from 'node:net';
import { connect as connectByTls } from 'node:tls';
import type { Target } from '../nginx/ask.ts';

const connections = 32;
const headEnd = '\r\n\r\n';

/** Requests one path for so many seconds; → the number of responses, all of them 200 and with a Content-Length. */
export const keepAsking = async (target: Target, path: string, seconds: number): Promise<number> => {
  const until = performance.now() + seconds * 1000;
  const isRunning = () => performance.now() < until;
  const request = requestFor(target, path);
  const counts = await Promise.all(Array.from({ length: connections }, () => askOver(target, request, isRunning)));
  return counts.reduce((sum, count) => sum + count, 0);
};

const requestFor = ({ port, headers = {} }: Target, path: string): string =>
  [
    `GET ${path} HTTP/1.1`,
    ...Object.entries({ Host: `127.0.0.1:${port}`, ...headers }).map(([name, value]) => `${name}: ${value}`),
    headEnd.slice(2),
  ].join('\r\n');

const askOver = (target: Target, request: string, isRunning: () => boolean): Promise<number> =>
  new Promise((resolve, reject) => {
    let answers = 0;
    const begin = () => {
      // Bytes of the response still to come; unknown before it has started.
      let missing = 0;
      let isLast = false;
      const socket = open(target);
      socket.on('error', reject);
      socket.on('close', () => isLast || reject(new Error(`${request.split('\r\n')[0]}: the connection was closed`)));
      socket.on('data', (chunk) => {
        if (missing === 0) ({ length: missing, isLast } = answerOf(chunk, request));
        missing -= chunk.length;
        if (missing > 0) return;
        answers += 1;
        const ends = !isRunning();
        if (!ends && !isLast) {
          socket.write(request);
          return;
        }
        socket.destroy();
        if (ends) resolve(answers);
        else begin();
      });
      socket.write(request);
    };
    begin();
  });

const open = ({ port, tls }: Target): Socket => {
  const socket = tls ? connectByTls({ host: '127.0.0.1', port, ...tls }) : connect(port, '127.0.0.1');
  return socket.setNoDelay(true);
};

/**
 * From its head, which arrives in one piece: the length of the whole response, and whether the connection ends with it, as nginx's do after
 * a thousand.
 */
const answerOf = (chunk: Buffer, request: string): { length: number; isLast: boolean } => {
  const end = chunk.indexOf(headEnd);
  const head = chunk.toString('latin1', 0, end);
  const length = /\r\ncontent-length: (\d+)/i.exec(head)?.[1];
  if (end < 0 || length === undefined || !head.startsWith('HTTP/1.1 200 '))
    throw new Error(`${request.split('\r\n')[0]} was answered ${head.split('\r\n')[0]}, without a length or in pieces`);
  return { length: end + headEnd.length + Number(length), isLast: /\r\nconnection: close/i.test(head) };
};
