/** Origins whose pages may use the rooms: the server's own, and those of `--allowed-origins`. */
import type { FastifyRequest } from 'fastify';

/** The parts of a request that decide on its origin, after its listener has filtered the forwarding headers. */
type OriginRequest = {
  /** The `Origin` header, unmodified. */
  origin: string | undefined;
  /** The `Sec-Fetch-Site` header, unmodified. */
  site: string | undefined;
  scheme: string;
  /** As in the Host header: a name or address, with or without a port. */
  host: string;
  /** The front end's port that the client connected to, if the front end sends it. */
  port: number | undefined;
};

export const originRequestOf = ({
  headers,
  protocol,
  host,
}: Pick<FastifyRequest, 'headers' | 'protocol' | 'host'>): OriginRequest => {
  const { origin, 'sec-fetch-site': site, 'x-forwarded-port': port } = headers;
  return {
    origin,
    site: site === undefined ? undefined : String(site),
    scheme: protocol,
    host,
    port: port === undefined ? undefined : Number(port),
  };
};

export type OriginPolicy = (request: OriginRequest) => boolean;

/**
 * Requests without an origin, as non-browser clients send, are allowed. `null`, as files and sandboxed frames send, is not: it can
 * be any page.
 *
 * `Sec-Fetch-Site` is reliable, since pages cannot set it (https://www.w3.org/TR/fetch-metadata/). Browsers send it to https: and to
 * localhost; Chromium (at least up to 156) omits it on WebSocket handshakes. Without it, Origin is compared with scheme, host and port.
 * @param allowed `https://meet.example`, or `https://*.meet.example` for all subdomains, at any depth
 */
export const originPolicy = (allowed: readonly string[]): OriginPolicy => {
  const origins = allowed.filter((entry) => !entry.includes('://*.')).map((entry) => new URL(entry).origin);
  const exact = new Set(origins);
  const parents = allowed.filter((entry) => entry.includes('://*.')).map((entry) => new URL(entry.replace('*.', '')));
  return (request) => {
    const { origin, site } = request;
    if (origin === undefined || site === 'same-origin' || exact.has(origin)) return true;
    const page = pageOf(origin);
    if (page === undefined) return false;
    if (exact.has(page.origin) || parents.some((parent) => isBelow(page, parent))) return true;
    return site === undefined && isSameOrigin(page, request);
  };
};

/** Undefined for anything but a web origin: `null`, an extension's origin, a URL with a path. RFC 6454 §7 */
const pageOf = (origin: string): URL | undefined =>
  /^https?:\/\/[^/?#@\\]+$/i.test(origin) ? (URL.parse(origin) ?? undefined) : undefined;

const isBelow = (page: URL, parent: URL): boolean =>
  page.protocol === parent.protocol && page.port === parent.port && page.hostname.endsWith(`.${parent.hostname}`);

/** Compares scheme, host and port, of which the port may be implicit. RFC 6454 §5 */
const isSameOrigin = (page: URL, request: OriginRequest): boolean => {
  const own = ownOrigin(page, request);
  if (own?.hostname !== page.hostname) return false;
  if (own.port === page.port) return true;
  return isPortless(request.host) && portOf(page) === request.port;
};

/**
 * The server's origin, with the page's scheme; undefined if the schemes conflict. An https: page cannot send requests by http:
 * (https://www.w3.org/TR/mixed-content/), so if one arrives by http:, a proxy has terminated TLS without saying so, which is
 * accepted. An http: page with an https: request is not.
 */
const ownOrigin = ({ protocol }: URL, { scheme, host }: OriginRequest): URL | undefined =>
  protocol === 'https:' || protocol === `${scheme}:` ? (URL.parse(`${protocol}//${host}`) ?? undefined) : undefined;

const isPortless = (host: string): boolean => !/:\d+$/.test(host);

/** The port, including a default one. */
const portOf = ({ port, protocol }: URL): number => Number(port || (protocol === 'https:' ? 443 : 80));

/** Why a page may not use the server, and if only the port is wrong, where it was lost. */
export const whyNot = (request: OriginRequest): string => {
  const { origin = 'nowhere', site, scheme, host, port } = request;
  const through = port === undefined || !isPortless(host) ? '' : `, port ${port} of the front end`;
  const reason = `the page is from ${origin}, this server is ${scheme}://${host}${through}`;
  if (site !== undefined) return `${reason}, and the browser reports it as ${site} (Sec-Fetch-Site)`;
  const page = pageOf(origin);
  const own = page && ownOrigin(page, request);
  if (!page || own?.hostname !== page.hostname) return reason;
  return isPortless(host)
    ? `${reason}: the front end has lost the port of Host; it must pass Host on unchanged, or set X-Forwarded-Port`
    : `${reason}: Origin has ${page.port === '' ? 'no port' : `port ${page.port}`}; the front end must pass Host on unchanged`;
};
