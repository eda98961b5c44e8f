/** Who the client is, by what a request's headers say of forwarding and by whom of those who say it is believed. */
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import { isIP } from 'node:net';
import { hostForm, isPort } from '../header-names.ts';
import { belowPrefix, readPrefix } from '../url-path.ts';

/** Takes away what nobody has to believe; what is left in x-forwarded-for, -proto, -host, -port and -prefix is true. */
export type ForwardedHeaderPolicy = (request: IncomingMessage) => void;

/** For a listener that browsers reach: nothing of it is left. */
export const dropForwardedHeaders: ForwardedHeaderPolicy = ({ headers }) => drop(headers);

/**
 * For a listener behind a front end. Of `X-Forwarded-For` the right-most address that is not a trusted proxy is the client;
 * of `-Proto`, `-Host` and `-Port` what was said at that hop, or the only value there is. `X-Forwarded-Prefix` is taken off the
 * URL, if it still stands there. Whatever is not an address, scheme, host, port or path is as good as not there.
 * @param isProxy whether an address is that of a trusted proxy before the front end
 */
export const trustFrontEnd =
  (isProxy: (address: string) => boolean): ForwardedHeaderPolicy =>
  (request) => {
    const { headers } = request;
    const said = saidOf(headers);
    drop(headers);
    const hop = clientHop(said.for, isProxy);
    const fromRight = hop === undefined ? 0 : said.for.length - 1 - hop;
    const scheme = at(said.proto, fromRight)?.toLowerCase();
    const host = at(said.host, fromRight);
    const port = at(said.port, fromRight) ?? '';
    if (hop !== undefined) headers['x-forwarded-for'] = addressIn(said.for[hop] ?? '');
    if (scheme === 'http' || scheme === 'https') headers['x-forwarded-proto'] = scheme;
    if (host !== undefined && hostForm.test(host)) headers['x-forwarded-host'] = host;
    if (isPort(port)) headers['x-forwarded-port'] = port;
    takePrefix(request, said.prefix);
  };

const names = [
  'x-forwarded-for',
  'x-forwarded-proto',
  'x-forwarded-host',
  'x-forwarded-port',
  'x-forwarded-prefix',
] as const;

const saidOf = (headers: IncomingHttpHeaders) => {
  const [chain, proto, host, port, prefix] = names.map((name) => listOf(headers[name]));
  return { for: chain ?? [], proto: proto ?? [], host: host ?? [], port: port ?? [], prefix: prefix?.at(-1) };
};

/** A header that came twice is one list: RFC 9110 §5.3. */
const listOf = (value: string | string[] | undefined): string[] =>
  value === undefined
    ? []
    : String(value)
        .split(',')
        .map((item) => item.trim());

/** Index of the client in the chain; the left-most one if all are proxies. What stands left of a non-address is unknown. */
const clientHop = (chain: string[], isProxy: (address: string) => boolean): number | undefined => {
  let hop: number | undefined;
  for (let index = chain.length - 1; index >= 0; index--) {
    const address = addressIn(chain[index] ?? '');
    if (address === undefined) return hop;
    hop = index;
    if (!isProxy(address)) return hop;
  }
  return hop;
};

/** `203.0.113.7`, `203.0.113.7:4711`, `2001:db8::7`, `[2001:db8::7]:4711` → the address. */
const addressIn = (text: string): string | undefined => {
  const address = /^\[(.+)\](?::\d+)?$/.exec(text)?.[1] ?? /^([\d.]+):\d+$/.exec(text)?.[1] ?? text;
  return isIP(address) === 0 ? undefined : address;
};

const at = (list: string[], fromRight: number): string | undefined => list[Math.max(0, list.length - 1 - fromRight)];

const takePrefix = (request: IncomingMessage, said: string | undefined): void => {
  const prefix = said === undefined ? undefined : readPrefix(said);
  if (prefix === undefined) return;
  request.headers['x-forwarded-prefix'] = prefix;
  request.url = belowPrefix(request.url ?? '/', prefix);
};

/** `Proxy` is httpoxy, CVE-2016-5385. Undefined is as good as gone, and an object that loses keys is slow from then on. */
const drop = (headers: IncomingHttpHeaders): void => {
  for (const name in headers)
    if (name.startsWith('x-forwarded') || name === 'forwarded' || name === 'x-real-ip' || name === 'proxy')
      headers[name] = undefined;
};
