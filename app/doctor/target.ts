/** The site under examination, and single requests to it. */
import { type IncomingMessage, request as requestByHttp } from 'node:http';
import { request as requestByTls } from 'node:https';
import { text } from 'node:stream/consumers';

export type Site = {
  /** Of the page; ends with a slash. */
  url: URL;
  /** Where browsers come that were told no scheme; undefined: not known. */
  plain: URL | undefined;
  /** PEM of certificates that are trusted besides the known ones. */
  ca: string | undefined;
  token: string | undefined;
  /** To try things in. */
  rooms: readonly [string, ...string[]];
  /** ms for an answer, or a message, to come. */
  timeout: number;
  /** ms that a silent connection has to last; undefined: it is not tried. */
  idle: number | undefined;
};

export type Question = { method?: string; headers?: Record<string, string>; body?: string; timeout?: number };
export type Head = Pick<IncomingMessage, 'headers' | 'rawHeaders'> & { status: number };
/** `local`, `remote`: the addresses of the connection's two ends. */
export type Answer = Head & { url: URL; body: string; local: string; remote: string };

/** What TLS needs to know. A token is not given to somebody whose certificate is wrong; all else may be looked at nevertheless. */
export const tlsOptions = ({ ca, token }: Site) => ({
  ...(ca === undefined ? {} : { ca }),
  rejectUnauthorized: token !== undefined,
});

/**
 * Asks on a connection of its own. Redirects are not followed.
 * @param path below the site's, or a whole URL @throws when no answer begins in time
 */
export const begin = (
  site: Site,
  path: string | URL,
  { method = 'GET', headers = {}, body, timeout = site.timeout }: Question = {},
): Promise<IncomingMessage> => {
  const url = new URL(path, site.url);
  return new Promise((resolve, reject) => {
    const options = { method, headers: { ...headers, ...lengthOf(body) }, agent: false };
    const sending =
      url.protocol === 'https:'
        ? requestByTls(url, { ...options, ...tlsOptions(site) }, resolve)
        : requestByHttp(url, options, resolve);
    const late = setTimeout(() => sending.destroy(new Error(`no answer in ${timeout} ms`)), timeout);
    sending.once('close', () => clearTimeout(late));
    sending.once('response', (answer) => {
      clearTimeout(late);
      // Whoever reads it is told; whoever has gone does not care.
      answer.on('error', () => {});
    });
    sending.on('error', (error) => reject(new Error(`${method} ${url.pathname}: ${reasonOf(error)}`)));
    sending.end(body);
  });
};

/** The whole answer. @throws when there is none in time */
export const ask = async (site: Site, path: string | URL, question: Question = {}): Promise<Answer> => {
  const answer = await begin(site, path, question);
  const { timeout = site.timeout } = question;
  const { localAddress: local = '', remoteAddress: remote = '' } = answer.socket;
  const late = setTimeout(() => answer.destroy(new Error('the answer did not end in time')), timeout);
  try {
    const body = await text(answer);
    const { headers, rawHeaders, statusCode: status = 0 } = answer;
    return { status, headers, rawHeaders, body, url: new URL(path, site.url), local, remote };
  } finally {
    clearTimeout(late);
  }
};

const lengthOf = (body: string | undefined) =>
  body === undefined ? {} : { 'Content-Type': 'application/json', 'Content-Length': String(Buffer.byteLength(body)) };

/** Several addresses that were tried fail as one, without words. */
export const reasonOf = (error: unknown): string => {
  if (error instanceof AggregateError) return [...new Set(error.errors.map(reasonOf))].join(', ');
  return error instanceof Error ? error.message || ('code' in error ? String(error.code) : error.name) : String(error);
};

/** As JSON; undefined when it is none. */
export const jsonOf = ({ body }: Pick<Answer, 'body'>): unknown => {
  try {
    return JSON.parse(body);
  } catch {
    return undefined;
  }
};

/** The code of an error that the app itself gave; undefined: the answer is somebody else's. */
export const codeOf = (answer: Pick<Answer, 'body'>): string | undefined => {
  const json = jsonOf(answer);
  const isOurs = typeof json === 'object' && json !== null && 'type' in json && json.type === 'error' && 'code' in json;
  return isOurs ? String(json.code) : undefined;
};

/** Whether nobody but this machine can come by this name; browsers trust it without TLS. */
export const isLocal = (hostname: string): boolean =>
  /^(?:localhost|.*\.localhost|127\.[\d.]+|\[::1\])$/.test(hostname);

/** The host without the brackets of IPv6, and the port. */
export const placeOf = ({ hostname, port, protocol }: URL): { host: string; port: number } => ({
  host: hostname.replaceAll(/[[\]]/g, ''),
  port: Number(port || (protocol === 'https:' ? 443 : 80)),
});
