/** Settings: size limits and timeouts of requests. */
import { settingMetadata } from '../setting-metadata.ts';
import { bytes, integer, seconds } from '../value-types.ts';

export const requests = {
  'buffer-size': bytes(4096, 65_535)
    .default(65_535)
    .register(settingMetadata, {
      help: 'maximum bytes of a request head (uwsgi: of the variables)',
      uwsgi: 'bytes of the request head, default 4096; a larger one resets the connection',
      differs: 'default 65535, the most the protocol can carry; a larger head is answered with 431',
      also: ['b'],
    }),
  'limit-post': bytes(1024, 1_073_741_824).default(1_048_576).register(settingMetadata, {
    help: 'maximum bytes of a request body',
    uwsgi: 'bytes of a request body, unlimited by default',
    differs: 'default 1 MiB; more is answered with 413',
  }),
  'max-connections': integer(1, 1_000_000).default(65_535).register(settingMetadata, {
    help: 'connections in total; further ones are closed at once',
  }),
  'max-connections-per-address': integer(1, 1_000_000).optional().register(settingMetadata, {
    help: 'connections from one address to --http (an IPv6 address counts with its /64; a /56 may have twice, a /48 four times as many); when not set: an eighth of max-connections, or 1024 if that is more, but at most half',
  }),
  'header-timeout': seconds(1, 3600)
    .default(10)
    .register(settingMetadata, { help: 'seconds for a request head to arrive' }),
  'body-timeout': seconds(1, 3600)
    .default(30)
    .register(settingMetadata, { help: 'seconds without data while a request body arrives' }),
  'idle-timeout': seconds(1, 3600)
    .default(60)
    .register(settingMetadata, { help: 'seconds without progress while a client receives a response' }),
  'keep-alive-timeout': seconds(1, 3600)
    .default(75)
    .register(settingMetadata, { help: 'seconds that an HTTP connection may be idle between requests' }),
  harakiri: seconds(0, 86_400)
    .default(0)
    .register(settingMetadata, {
      help: 'seconds until the response to a request must have begun, else 503; WebSockets and event streams are exempt; 0 = no limit',
      uwsgi: 'kills the worker whose request takes longer, and with it all other requests of that worker',
      differs: 'nothing is killed: only that request is answered with 503; see loop-harakiri for a worker that hangs',
      also: ['t'],
    }),
};
