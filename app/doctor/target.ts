/** The site to check, and single requests to it. */
import { type IncomingMessage, request as requestByHttp } from 'node:http';
import { request as requestByTls } from 'node:https';
import { text } from 'node:stream/consumers';

export type Site = {
  /** URL of the page; ends with a slash. */
  url: URL;
  /** The http: URL that browsers use if no scheme is given; undefined: unknown. */
  plain: URL | undefined;
  /** PEM of the certificate authorities to trust. */
  ca: string | undefined;
  token: string | undefined;
  /** Names of the rooms to test with, percent-encoded. */
  rooms: readonly [string, ...string[]];
  /** ms to wait for a response or a message. */
  timeout: number;
  /** ms that an idle connection must stay open; undefined: not checked. */
  idle: number | undefined;
};

export type Question = { method?: string; headers?: Record<string, string>; body?: string; timeout?: number };
type Head = Pick<IncomingMessage, 'headers' | 'rawHeaders'> & { status: number };
/** `local`, `remote`: the connection's addresses. */
export type SiteResponse = Head & { url: URL; body: string; local: string; remote: string };

/** TLS options. With a token, an invalid certificate is rejected; without one, the other checks can still run. */
export const tlsOptions = ({ ca, token }: Site) => ({
  ...(ca === undefined ? {} : { ca }),
  rejectUnauthorized: token !== undefined,
});

/**
 * Sends a request on a new connection. Redirects are not followed.
 * @param path relative to the site, or a whole URL @throws if no response begins in time
 */
export const begin = (
  site: Site,
  path: string | URL,
  { method = 'GET', headers = {}, body, timeout = site.timeout }: Question = {},
): Promise<IncomingMessage> => {
  const url = new URL(path, site.url);
  return new Promise((resolve, reject) => {
    const options = { method, headers: { ...headers, ...lengthOf(body) }, agent: false };
    const request =
      url.protocol === 'https:'
        ? requestByTls(url, { ...options, ...tlsOptions(site) }, resolve)
        : requestByHttp(url, options, resolve);
    const timer = setTimeout(() => request.destroy(new Error(`no answer in ${timeout} ms`)), timeout);
    request.once('close', () => clearTimeout(timer));
    request.once('response', (answer) => {
      clearTimeout(timer);
      // A reader gets the error too; without a reader it must not become an uncaught exception.
      answer.on('error', () => {});
    });
    request.on('error', (error) => reject(new Error(`${method} ${url.pathname}: ${reasonOf(error)}`)));
    request.end(body);
  });
};

/** The complete response. @throws if it does not arrive in time */
export const ask = async (site: Site, path: string | URL, question: Question = {}): Promise<SiteResponse> => {
  const answer = await begin(site, path, question);
  const { timeout = site.timeout } = question;
  const { localAddress: local = '', remoteAddress: remote = '' } = answer.socket;
  const timer = setTimeout(() => answer.destroy(new Error('the answer did not end in time')), timeout);
  try {
    const body = await text(answer);
    const { headers, rawHeaders, statusCode: status = 0 } = answer;
    return { status, headers, rawHeaders, body, url: new URL(path, site.url), local, remote };
  } finally {
    clearTimeout(timer);
  }
};

const lengthOf = (body: string | undefined) =>
  body === undefined ? {} : { 'Content-Type': 'application/json', 'Content-Length': String(Buffer.byteLength(body)) };

/** The message of an error. For several addresses Node throws an AggregateError without a message. */
export const reasonOf = (error: unknown): string => {
  if (error instanceof AggregateError) return [...new Set(error.errors.map(reasonOf))].join(', ');
  return error instanceof Error ? error.message || ('code' in error ? String(error.code) : error.name) : String(error);
};

/** The body as JSON; undefined if it is not JSON. */
export const jsonOf = ({ body }: Pick<SiteResponse, 'body'>): unknown => {
  try {
    return JSON.parse(body);
  } catch {
    return undefined;
  }
};

/** The error code of the app; undefined if the response is not an error of the app. */
export const codeOf = (answer: Pick<SiteResponse, 'body'>): string | undefined => {
  const json = jsonOf(answer);
  const isOurs = typeof json === 'object' && json !== null && 'type' in json && json.type === 'error' && 'code' in json;
  return isOurs ? String(json.code) : undefined;
};

/** Whether this name is for the local machine only; browsers trust it without TLS. */
export const isLocal = (hostname: string): boolean =>
  /^(?:localhost|.*\.localhost|127\.[\d.]+|\[::1\])$/.test(hostname);

/** The host without the brackets of IPv6, and the port. */
export const placeOf = ({ hostname, port, protocol }: URL): { host: string; port: number } => ({
  host: hostname.replaceAll(/[[\]]/g, ''),
  port: Number(port || (protocol === 'https:' ? 443 : 80)),
});
