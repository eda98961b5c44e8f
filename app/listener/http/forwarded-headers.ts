/** Forwarding headers: which of them are trusted, and the client address, scheme, host, port and prefix they give. */
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import { isIP } from 'node:net';
import { hostForm, isPort } from '../header-names.ts';
import { belowPrefix, readPrefix } from '../url-path.ts';

/** Removes untrusted forwarding headers; afterwards x-forwarded-for, -proto, -host, -port and -prefix can be trusted. */
export type ForwardedHeaderPolicy = (request: IncomingMessage) => void;

/** For a listener that browsers connect to: removes all of them. */
export const dropForwardedHeaders: ForwardedHeaderPolicy = ({ headers }) => drop(headers);

/**
 * For a listener behind a front end. The client is the right-most address in `X-Forwarded-For` that is not a trusted proxy.
 * `-Proto`, `-Host` and `-Port` are taken from the same hop, or from the only value present. `X-Forwarded-Prefix` is removed from
 * the URL, unless the front end has done so. Invalid addresses, schemes, hosts, ports and paths are ignored.
 * @param isProxy whether an address is a trusted proxy in front of the front end
 */
export const trustFrontEnd =
  (isProxy: (address: string) => boolean): ForwardedHeaderPolicy =>
  (request) => {
    const { headers } = request;
    const forwarded = parseForwarded(headers);
    drop(headers);
    const hop = clientHop(forwarded.for, isProxy);
    const fromRight = hop === undefined ? 0 : forwarded.for.length - 1 - hop;
    const scheme = valueAt(forwarded.proto, fromRight)?.toLowerCase();
    const host = valueAt(forwarded.host, fromRight);
    const port = valueAt(forwarded.port, fromRight) ?? '';
    if (hop !== undefined) headers['x-forwarded-for'] = addressIn(forwarded.for[hop] ?? '');
    if (scheme === 'http' || scheme === 'https') headers['x-forwarded-proto'] = scheme;
    if (host !== undefined && hostForm.test(host)) headers['x-forwarded-host'] = host;
    if (isPort(port)) headers['x-forwarded-port'] = port;
    applyPrefix(request, forwarded.prefix);
  };

const names = [
  'x-forwarded-for',
  'x-forwarded-proto',
  'x-forwarded-host',
  'x-forwarded-port',
  'x-forwarded-prefix',
] as const;

const parseForwarded = (headers: IncomingHttpHeaders) => {
  const [chain, proto, host, port, prefix] = names.map((name) => listOf(headers[name]));
  return { for: chain ?? [], proto: proto ?? [], host: host ?? [], port: port ?? [], prefix: prefix?.at(-1) };
};

/** Repeated headers form one list: RFC 9110 §5.3. */
const listOf = (value: string | string[] | undefined): string[] =>
  value === undefined
    ? []
    : String(value)
        .split(',')
        .map((item) => item.trim());

/** Index of the client in the chain; the left-most one if all are proxies. Entries left of an invalid address are ignored. */
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

const valueAt = (list: string[], fromRight: number): string | undefined =>
  list[Math.max(0, list.length - 1 - fromRight)];

const applyPrefix = (request: IncomingMessage, value: string | undefined): void => {
  const prefix = value === undefined ? undefined : readPrefix(value);
  if (prefix === undefined) return;
  request.headers['x-forwarded-prefix'] = prefix;
  request.url = belowPrefix(request.url ?? '/', prefix);
};

/** `Proxy` is httpoxy, CVE-2016-5385. Set to undefined rather than deleted, since deleting keys makes an object slow. */
const drop = (headers: IncomingHttpHeaders): void => {
  for (const name in headers)
    if (name.startsWith('x-forwarded') || name === 'forwarded' || name === 'x-real-ip' || name === 'proxy')
      headers[name] = undefined;
};
