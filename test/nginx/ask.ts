/** Single requests to a front end, by HTTP or TLS, and what every response must have. */
import { type IncomingMessage, request as requestByHttp } from 'node:http';
import { request as requestByTls } from 'node:https';
import type { ConnectionOptions } from 'node:tls';
import { expect } from 'vitest';
import { securityHeaders } from '../../app/web/security-headers.ts';
import type { ForwardedRequest } from './backend.ts';

/** On 127.0.0.1. `tls`: the trusted certificate, the server name, and other options. `headers`: sent with every request. */
export type Target = {
  port: number;
  tls?: ConnectionOptions & { ca: string; servername: string };
  headers?: Record<string, string>;
};
export type Answer = { status: number; headers: IncomingMessage['headers']; rawHeaders: string[]; body: string };
/** `delay`: ms that the body waits for a response to the head alone; a refusal during an upload can be lost with the connection. */
export type Question = { method?: string; headers?: Record<string, string>; body?: string; delay?: number };

/** Not fetch: it would join repeated headers, normalize the path, and refuse to send Host. */
const open = (target: Target, path: string, { method = 'GET', headers = {}, body = '', delay = 0 }: Question = {}) =>
  new Promise<IncomingMessage>((resolve, reject) => {
    const { port, tls } = target;
    const options = { host: '127.0.0.1', port, path, method, headers: { ...target.headers, ...headers }, agent: false };
    const sending = tls ? requestByTls({ ...options, ...tls }, resolve) : requestByHttp(options, resolve);
    sending.on('error', reject);
    if (delay === 0) {
      sending.end(body);
      return;
    }
    sending.flushHeaders();
    const waiting = setTimeout(() => sending.end(body), delay);
    sending.on('response', () => clearTimeout(waiting));
  });

export const ask = async (target: Target, path: string, question?: Question): Promise<Answer> => {
  const answer = await open(target, path, question);
  let body = '';
  for await (const chunk of answer.setEncoding('utf8')) body += chunk;
  return { status: answer.statusCode ?? 0, headers: answer.headers, rawHeaders: answer.rawHeaders, body };
};

export const post = (body: string) => ({ method: 'POST', headers: { 'Content-Type': 'application/json' }, body });

/** What the stub behind the front end received of this request. */
export const forwardedRequest = async (target: Target, path: string, question?: Question): Promise<ForwardedRequest> =>
  JSON.parse((await ask(target, path, question)).body);

/** The first data of a response that does not end. */
export const firstBytes = async (target: Target, path: string): Promise<string> => {
  const answer = await open(target, path);
  for await (const chunk of answer.setEncoding('utf8')) return chunk;
  return '';
};

/** A request whose response has started and is left open. */
export const hold = async (target: Target, path: string): Promise<{ status: number; end(): void }> => {
  const answer = await open(target, path);
  answer.on('error', () => {});
  return { status: answer.statusCode ?? 0, end: () => answer.destroy() };
};

export const expectSecurityHeadersOnce = ({ rawHeaders }: Answer) => {
  const names = rawHeaders.filter((_, index) => index % 2 === 0).map((name) => name.toLowerCase());
  for (const [name, value] of Object.entries(securityHeaders)) {
    expect(names.filter((candidate) => candidate === name)).toHaveLength(1);
    expect(rawHeaders[2 * names.indexOf(name) + 1]).toBe(value);
  }
};
