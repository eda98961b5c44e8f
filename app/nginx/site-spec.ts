/** What nginx files are to be written for. */
import type { Version } from './version.ts';

/**
 * - plain: nginx serves nothing but Genkan, by HTTP
 * - tls: the same, with a certificate
 * - behind-proxy: the same, behind a proxy of somebody else that has the certificate
 * - vhost: one more virtual host beside sites that exist
 * - location: below a path of a site that exists
 */
export const modes = ['plain', 'tls', 'behind-proxy', 'vhost', 'location'] as const;
export type Mode = (typeof modes)[number];

export type SiteSpec = {
  mode: Mode;
  protocol: 'uwsgi' | 'http';
  /** Where the app listens, as nginx writes it: `127.0.0.1:3031`, `unix:/path`, `name:3031`. Rooms are hashed over several. */
  upstreams: readonly [string, ...string[]];
  /** Whether all of them have one store, so that any of them serves any room. */
  shared: boolean;
  /** Name server for upstreams that are names. */
  resolver?: string | undefined;
  /** None: whatever name is asked for. */
  serverNames: readonly string[];
  /** Where nginx listens, as `listen` takes it: `80`, `127.0.0.1:8080`, `[::]:443`. */
  addresses: readonly string[];
  /** Below which path everything lies; begins and ends with a slash. */
  base: string;
  /** Paths of files; with them the site speaks TLS. */
  certificate?: { chain: string; key: string } | undefined;
  /** The directory in which an ACME client leaves its answers. */
  acmeWebroot?: string | undefined;
  /** Networks of the proxies before nginx that are believed about the client. */
  trustedProxies: readonly string[];
  version: Version;
  /** The directory that holds the build's js/. */
  root: string;
  hsts: boolean;
  http3: boolean;
  brotli: boolean;
  /** For one address: handshakes (WebSockets and joins) a second, connections at once. */
  limits: { handshakes: number; connections: number; dryRun: boolean };
  /** Path of a file; while it exists nobody is let in. */
  maintenance: string;
  /** Path of the file that has a line for each request. */
  accessLog: string;
  /** What the app's own settings say, in bytes and seconds. */
  app: { limitPost: number; pingInterval: number; pollWait: number; keepAlive: number; drain: number };
};

/** Path below the directory of nginx's configuration → text. */
export type Files = ReadonlyMap<string, string>;

/** Whether the site's nginx is Genkan's alone. */
export const isAlone = ({ mode }: Pick<SiteSpec, 'mode'>): boolean =>
  mode === 'plain' || mode === 'tls' || mode === 'behind-proxy';

/** The base without its last slash: `` or `/meet`. */
export const prefixOf = ({ base }: SiteSpec): string => base.slice(0, -1);

/** A base as part of a regular expression. */
export const pattern = (base: string): string => base.replaceAll('.', '\\.');
