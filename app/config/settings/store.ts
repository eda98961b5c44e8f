/** Settings: the room store. */
import { settingMetadata } from '../setting-metadata.ts';
import { bytes, flag, integer, path, seconds, text } from '../value-types.ts';

export const store = {
  store: text(
    /^(memory|embedded|(valkey|redis)s?:\/\/([^\s:@/]+@)?[^\s@/]+(\/\d{1,3})?)$/,
    'memory, embedded, or a URL such as valkey://host:6379, valkeys://user@host:6380 (TLS); its password is store-password',
    'memory|embedded|URL',
  )
    .default('memory')
    .register(settingMetadata, {
      help: "where rooms are kept: memory = in each worker; embedded = also in state-dir; a URL = in Valkey or Redis (7 or later), for all workers. valkeys:// and rediss:// use TLS; Node's NODE_EXTRA_CA_CERTS adds certificate authorities",
      common: true,
    }),
  'state-dir': path().optional().register(settingMetadata, {
    help: "directory of the embedded store; not set = systemd's, or the user's",
    common: true,
  }),
  'state-sync': seconds(0, 3600).default(1).register(settingMetadata, {
    help: 'seconds between syncs of the embedded store to the disk: what a power failure may lose; 0 = when the kernel does it. A killed process loses nothing in any case',
  }),
  'max-state-bytes': bytes(1_048_576, 1_099_511_627_776).default(4_294_967_296).register(settingMetadata, {
    help: 'bytes that the embedded store of one worker may take on disk; beyond that no room is opened',
  }),
  'store-password': text(/^\S{1,1024}$/, 'a password without spaces', 'PASSWORD')
    .optional()
    .register(settingMetadata, {
      help: 'password of the user in the URL of store, or of the default user',
      common: true,
      secret: true,
    }),
  'store-cluster': flag().default(false).register(settingMetadata, {
    help: 'the URL of store is one node of a cluster; each room is on one of its shards',
  }),
  'store-timeout': integer(100, 60_000, 'MS').default(3000).register(settingMetadata, {
    help: 'milliseconds that the store may take to connect or respond before it counts as unavailable',
  }),
  'store-lease': seconds(3, 600).default(15).register(settingMetadata, {
    help: 'seconds after which a worker that has not renewed its lease counts as gone, and its peers as away',
  }),
};
