/** Pages of which origins may use the rooms: the server's own, and those of `--allowed-origins`. */
import type { FastifyRequest } from 'fastify';

/** How a request was made, as its listener believes. */
export type OriginRequest = {
  /** The header, as it came. */
  origin: string | undefined;
  /** `Sec-Fetch-Site`, as it came. */
  site: string | undefined;
  scheme: string;
  /** As in the Host header: a name or address, with a port or without one. */
  host: string;
  /** The port that clients of the front end connect to, if the front end says so. */
  port: number | undefined;
};

export const originRequestOf = ({ headers, protocol, host }: FastifyRequest): OriginRequest => {
  const { origin, 'sec-fetch-site': site, 'x-forwarded-port': port } = headers;
  return {
    origin,
    site: site === undefined ? undefined : String(site),
    scheme: protocol,
    host,
    port: port === undefined ? undefined : Number(port),
  };
};

export type OriginPolicy = (asked: OriginRequest) => boolean;

/**
 * Programs send no origin, and may. `null`, which files and sandboxed frames send, stands for anybody and may not.
 *
 * A browser that sends `Sec-Fetch-Site` is right about whose page it is, and no page can write that header
 * (https://www.w3.org/TR/fetch-metadata/). It comes with requests to https: and to this machine; Chromium (up to 156 at least) sends
 * none with the handshake of a WebSocket. Where it is missing Origin is compared with what was asked for.
 * @param allowed `https://meet.example`, or `https://*.meet.example` for all below it, at any depth
 */
export const originPolicy = (allowed: readonly string[]): OriginPolicy => {
  const origins = allowed.filter((entry) => !entry.includes('://*.')).map((entry) => new URL(entry).origin);
  const exact = new Set(origins);
  const parents = allowed.filter((entry) => entry.includes('://*.')).map((entry) => new URL(entry.replace('*.', '')));
  return (asked) => {
    const { origin, site } = asked;
    if (origin === undefined || site === 'same-origin' || exact.has(origin)) return true;
    const page = pageOf(origin);
    if (page === undefined) return false;
    if (exact.has(page.origin) || parents.some((parent) => isBelow(page, parent))) return true;
    return site === undefined && isOwn(page, asked);
  };
};

/** Undefined for what is no origin of the web: `null`, one of an extension, one with a path. RFC 6454 §7 */
const pageOf = (origin: string): URL | undefined =>
  /^https?:\/\/[^/?#@\\]+$/i.test(origin) ? (URL.parse(origin) ?? undefined) : undefined;

const isBelow = (page: URL, parent: URL): boolean =>
  page.protocol === parent.protocol && page.port === parent.port && page.hostname.endsWith(`.${parent.hostname}`);

/** Whether two origins are one: scheme, host and port, of which the last may go without saying. RFC 6454 §5 */
const isOwn = (page: URL, asked: OriginRequest): boolean => {
  const own = ownFor(page, asked);
  if (own?.hostname !== page.hostname) return false;
  if (own.port === page.port) return true;
  return isPortless(asked.host) && portOf(page) === asked.port;
};

/**
 * The server's origin, of the page's scheme; undefined when that is not its own. Browsers keep pages of https: from sending anything
 * by http: (https://www.w3.org/TR/mixed-content/), so one that has come by http: had its TLS ended on the way, by somebody who did
 * not tell. The other way round nothing excuses it.
 */
const ownFor = ({ protocol }: URL, { scheme, host }: OriginRequest): URL | undefined =>
  protocol === 'https:' || protocol === `${scheme}:` ? (URL.parse(`${protocol}//${host}`) ?? undefined) : undefined;

const isPortless = (host: string): boolean => !/:\d+$/.test(host);

/** The port that is connected to. */
const portOf = ({ port, protocol }: URL): number => Number(port || (protocol === 'https:' ? 443 : 80));

/** Why a page may not use the server, and if only the port is wrong, who has lost it. */
export const whyNot = (asked: OriginRequest): string => {
  const { origin = 'nowhere', site, scheme, host, port } = asked;
  const through = port === undefined || !isPortless(host) ? '' : `, port ${port} of the front end`;
  const said = `the page is from ${origin}, this server is ${scheme}://${host}${through}`;
  if (site !== undefined) return `${said}, and the browser says that this is ${site} (Sec-Fetch-Site)`;
  const page = pageOf(origin);
  const own = page && ownFor(page, asked);
  if (!page || own?.hostname !== page.hostname) return said;
  return isPortless(host)
    ? `${said}: the front end has lost the port of Host; it must pass Host on as it comes, or tell X-Forwarded-Port`
    : `${said}: Origin has ${page.port === '' ? 'no port' : `port ${page.port}`}; the front end must pass Host on as it comes`;
};
