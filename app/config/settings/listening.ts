/** Settings: listen addresses, and which front ends are trusted. */
import { settingMetadata } from '../setting-metadata.ts';
import { address, flag, integer, list, network, octalMode, text } from '../value-types.ts';

const origin = text(
  /^https?:\/\/(\*\.)?([\w-]+(\.[\w-]+)*|\[[\da-fA-F:.]+\])(:\d{1,5})?$/,
  'an origin such as https://meet.example or https://*.meet.example, without a path',
  'ORIGIN',
);
const host = text(
  /^(\*\.)?[\w-]+(\.[\w-]+)*(:\d{1,5})?$|^\[[\da-fA-F:.]+\](:\d{1,5})?$/,
  'a host such as meet.example or *.meet.example',
  'HOST',
);

export const listening = {
  http: list(address).register(settingMetadata, {
    help: 'HTTP listener for browsers; trusts no forwarding headers; :port = every interface. Without any listener: 127.0.0.1:9090',
    common: true,
    uwsgi: 'starts an HTTP router, which passes requests to the workers by the uwsgi protocol',
    differs: 'no router and no second hop; keep-alive and WebSocket need no further option',
  }),
  'http-socket': list(address).register(settingMetadata, {
    help: 'HTTP listener for a front end, whose headers about the client are trusted; :port = loopback',
    common: true,
    uwsgi: 'workers speak HTTP themselves, one request per connection; :port = every interface',
    differs: 'keep-alive and pipelining work; :port is loopback: write 0.0.0.0:port for every interface',
  }),
  socket: list(address).register(settingMetadata, {
    help: 'listener for a front end with the uwsgi protocol; :port = loopback',
    common: true,
    uwsgi: 'listens with the uwsgi protocol; :port = every interface, @name = abstract',
    differs: ':port is loopback: write 0.0.0.0:port for every interface; [v6]:port works, @name does not',
    also: ['uwsgi-socket', 's'],
  }),
  'allow-from': list(network).register(settingMetadata, {
    help: 'networks, besides loopback, that are trusted as front ends on --socket and --http-socket',
    common: true,
  }),
  'trusted-proxies': list(network).register(settingMetadata, {
    help: "networks of further proxies between the client and the front end, skipped when determining the client's address",
    common: true,
  }),
  'allowed-hosts': list(host).register(settingMetadata, {
    help: 'accepted hosts of requests; none = any host',
    common: true,
  }),
  'allowed-origins': list(origin).register(settingMetadata, {
    help: "origins, besides the server's own, whose pages may use the rooms; https://*.meet.example = all subdomains",
    common: true,
  }),
  'chmod-socket': octalMode()
    .default('660')
    .register(settingMetadata, {
      help: 'mode of unix sockets, octal',
      common: true,
      uwsgi: 'mode of unix sockets; 666 without a value, set by the umask when not given',
      differs: 'requires a value; default 660',
      also: ['C'],
    }),
  'chown-socket': text(/^[^:\s]+(:[^:\s]+)?$/, 'user or user:group', 'USER[:GROUP]')
    .optional()
    .register(settingMetadata, {
      help: 'owner and group of unix sockets',
      uwsgi: 'owner and group of unix sockets; works only as root',
    }),
  listen: integer(1, 65_535)
    .default(4096)
    .register(settingMetadata, {
      help: 'backlog: connections that may wait to be accepted',
      uwsgi: 'length of the listen queue, default 100; refuses to start above net.core.somaxconn',
      differs: 'default 4096; above net.core.somaxconn the kernel shortens it, with a warning',
      also: ['l'],
    }),
  vacuum: flag().default(true).register(settingMetadata, {
    help: 'remove unix sockets and the pidfile on exit',
    uwsgi: 'removes sockets and pidfiles on a clean exit; off by default',
    differs: 'on by default',
  }),
  'static-map': list(text(/^\/[^=]*=.+$/, '/prefix=directory', '/PREFIX=DIR')).register(settingMetadata, {
    help: 'serve the files of a directory under a URL prefix; 404 for missing files, names that begin with a dot and links that lead outside',
    uwsgi: 'serves files under a prefix; missing files are passed to the app; single ranges only if enabled',
    differs: 'a missing file under the prefix is 404; ETag, ranges and precompressed files always',
  }),
};
