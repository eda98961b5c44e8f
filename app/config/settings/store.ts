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
      help: "where rooms live: memory = each in the memory of one worker; a URL = in Valkey or Redis (7 or later), from where every worker of every machine can serve them. valkeys:// and rediss:// are TLS, whose own authorities are named by Node's NODE_EXTRA_CA_CERTS",
    }),
  'store-password': text(/^\S{1,1024}$/, 'a password without spaces', 'PASSWORD')
    .optional()
    .register(settingMetadata, {
      help: 'password of the user in the URL of store, or of the default user',
      secret: true,
    }),
  'store-cluster': flag().default(false).register(settingMetadata, {
    help: 'the URL of store names one node of a cluster; a room is on one of its shards',
  }),
  'store-timeout': integer(100, 60_000, 'MS').default(3000).register(settingMetadata, {
    help: 'milliseconds that the store may take to connect or to answer before it counts as away',
  }),
  'store-lease': seconds(3, 600).default(15).register(settingMetadata, {
    help: 'seconds after which a worker that the store has not heard of is gone: its peers are away then',
  }),
};
