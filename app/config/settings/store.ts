/** Settings: the room store. */
import { settingMetadata } from '../setting-metadata.ts';
import { flag, integer, seconds, text } from '../value-types.ts';

export const store = {
  store: text(
    /^(memory|(valkey|redis)s?:\/\/([^\s:@/]+@)?[^\s@/]+(\/\d{1,3})?)$/,
    'memory, or a URL such as valkey://host:6379, valkeys://user@host:6380 (TLS); its password is store-password',
    'memory|URL',
  )
    .default('memory')
    .register(settingMetadata, {
      help: "where rooms are kept: memory = each in one worker; a URL = in Valkey or Redis (7 or later), where all workers on all machines can serve them. valkeys:// and rediss:// use TLS; Node's NODE_EXTRA_CA_CERTS adds private certificate authorities",
      common: true,
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
