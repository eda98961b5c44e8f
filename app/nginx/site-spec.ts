/** The site that nginx files are generated for. */
import type { Version } from './version.ts';

/**
 * - plain: nginx serves only Genkan, over HTTP
 * - tls: the same, with a certificate
 * - behind-proxy: the same, behind another proxy that has the certificate
 * - vhost: a virtual host next to existing sites
 * - location: below a path of an existing site
 */
export const modes = ['plain', 'tls', 'behind-proxy', 'vhost', 'location'] as const;
type Mode = (typeof modes)[number];

export type SiteSpec = {
  mode: Mode;
  protocol: 'uwsgi' | 'http';
  /** The app's addresses in nginx's syntax: `127.0.0.1:3031`, `unix:/path`, `name:3031`. If several, rooms are hashed over them. */
  upstreams: readonly [string, ...string[]];
  /** Whether the upstreams share a store, so that any of them can serve any room. */
  shared: boolean;
  /** DNS server for upstreams given by name. */
  resolver?: string | undefined;
  /** Empty: any name. */
  serverNames: readonly string[];
  /** nginx's addresses in the syntax of `listen`: `80`, `127.0.0.1:8080`, `[::]:443`. */
  addresses: readonly string[];
  /** The path of the site; begins and ends with a slash. */
  base: string;
  /** File paths; if given, the site uses TLS. */
  certificate?: { chain: string; key: string } | undefined;
  /** Directory where an ACME client puts its challenge responses. */
  acmeWebroot?: string | undefined;
  /** Networks of the trusted proxies in front of nginx. */
  trustedProxies: readonly string[];
  version: Version;
  /** The directory that holds the build's js/. */
  root: string;
  hsts: boolean;
  http3: boolean;
  brotli: boolean;
  /** For each client address: handshakes (WebSockets and joins) per second, concurrent connections and POSTs of messages. */
  limits: { handshakes: number; connections: number; posts: number; dryRun: boolean };
  /** Of nginx itself, if it serves only Genkan: the number of its worker processes, and the connections of each. */
  workers: { processes: number | undefined; connections: number };
  /** Path of a file; while it exists, the site is closed to new visitors. */
  maintenance: string;
  /** Path of the access log. */
  accessLog: string;
  /** From the app's own settings, in bytes and seconds. */
  app: { limitPost: number; pingInterval: number; pollWait: number; keepAlive: number; drain: number };
};

/** Path relative to nginx's configuration directory → content. */
export type Files = ReadonlyMap<string, string>;

/** Whether nginx serves only Genkan. */
export const isAlone = ({ mode }: Pick<SiteSpec, 'mode'>): boolean =>
  mode === 'plain' || mode === 'tls' || mode === 'behind-proxy';

/** The base without its trailing slash: `` or `/meet`. */
export const prefixOf = ({ base }: SiteSpec): string => base.slice(0, -1);

/** A base escaped for a regular expression. */
export const pattern = (base: string): string => base.replaceAll('.', '\\.');
