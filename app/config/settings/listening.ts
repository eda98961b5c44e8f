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
    help: 'listen for browsers: serves everything, believes no forwarding header; :port = every interface. Without any listener: 127.0.0.1:9090',
    uwsgi: 'starts an HTTP router of its own, which passes requests on to the workers by the uwsgi protocol',
    differs: 'there is no router and no second hop; keep-alive and WebSocket need no further option',
  }),
  'http-socket': list(address).register(settingMetadata, {
    help: 'listen for a front end by HTTP and believe what it says of the client; :port = loopback',
    uwsgi: 'workers speak HTTP themselves, one request for one connection; :port = every interface',
    differs: 'keep-alive and pipelining work; :port is the loopback: write 0.0.0.0:port for every interface',
  }),
  socket: list(address).register(settingMetadata, {
    help: 'listen for a front end by the uwsgi protocol; :port = loopback',
    uwsgi: 'listens by the uwsgi protocol; :port = every interface, @name = abstract',
    differs: ':port is the loopback: write 0.0.0.0:port for every interface; [v6]:port works, @name does not',
    also: ['uwsgi-socket', 's'],
  }),
  'allow-from': list(network).register(settingMetadata, {
    help: 'networks, besides loopback, whose word on --socket and --http-socket is believed',
  }),
  'trusted-proxies': list(network).register(settingMetadata, {
    help: "networks of further proxies between the front end and the client, to be skipped when looking for the client's address",
  }),
  'allowed-hosts': list(host).register(settingMetadata, {
    help: 'hosts that requests may name; none = every host',
  }),
  'allowed-origins': list(origin).register(settingMetadata, {
    help: "origins, besides the server's own, whose pages may use the rooms; https://*.meet.example = all below it",
  }),
  'chmod-socket': octalMode()
    .default('660')
    .register(settingMetadata, {
      help: 'mode of unix sockets, octal',
      uwsgi: 'mode of unix sockets; 666 when given bare, and whatever the umask leaves when not given',
      differs: 'needs a value, and is 660 when not given',
      also: ['C'],
    }),
  'chown-socket': text(/^[^:\s]+(:[^:\s]+)?$/, 'user or user:group', 'USER[:GROUP]')
    .optional()
    .register(settingMetadata, {
      help: 'owner and group of unix sockets',
      uwsgi: 'owner and group of unix sockets; works only as root',
    }),
  listen: integer(1, 65_535)
    .default(511)
    .register(settingMetadata, {
      help: 'connections that may wait to be accepted',
      uwsgi: 'length of the listen queue, 100 when not given; refuses to start above net.core.somaxconn',
      differs: '511 when not given; above net.core.somaxconn the kernel shortens it, which is told',
      also: ['l'],
    }),
  vacuum: flag().default(true).register(settingMetadata, {
    help: 'remove unix sockets and the pidfile when stopping',
    uwsgi: 'removes sockets and pidfiles at a clean stop; off when not given',
    differs: 'on when not given',
  }),
  'static-map': list(text(/^\/[^=]*=.+$/, '/prefix=directory', '/PREFIX=DIR')).register(settingMetadata, {
    help: 'serve the files of a directory under a prefix; what is not there is 404, and so are names that begin with a dot and links that lead out of it',
    uwsgi: 'serves files under a prefix; what is not there is asked of the app; single ranges only when told to',
    differs: 'a missing file under the prefix is 404; ETag, ranges and precompressed files always',
  }),
};
