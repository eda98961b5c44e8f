/** Opens the store that the settings name. */
import type { Settings } from '../config/schema.ts';
import type { RegistryLimits } from '../rooms/registry.ts';
import type { Rules } from '../rooms/room.ts';
import { memoryStore } from '../store/memory.ts';
import type { Leaves, Store } from '../store/store.ts';
import type { LeveledLogger } from './lifecycle.ts';
import { stateDirectory, workerDirectory } from './state-directory.ts';

/** `clock`: ms since 1970, the same for all processes that share the store. @throws when the store rejects the login */
export const openStore = async (
  settings: Settings,
  rules: Rules,
  log: LeveledLogger,
  counts: Leaves,
  { localClock, worker }: { localClock: () => number; worker: number },
): Promise<{ store: Store; clock: () => number }> => {
  const limits: RegistryLimits = {
    rooms: settings['max-rooms'],
    rules,
    kept: { total: settings['max-kept-bytes'], share: settings['max-kept-bytes-per-address'] },
    // Events older than the longest absence of a session are never replayed.
    log: { events: settings['log-events'], bytes: settings['log-bytes'], age: 2 * rules.grace + 60_000 },
  };
  if (settings.store === 'memory') return { store: memoryStore(limits, localClock, counts), clock: localClock };
  if (settings.store === 'embedded') {
    const { EmbeddedStore } = await import('../store/embedded/embedded.ts');
    const directory = workerDirectory(stateDirectory(settings), worker);
    const options = {
      directory,
      limits,
      syncInterval: settings['state-sync'] * 1000,
      maxBytes: settings['max-state-bytes'],
    };
    return { store: new EmbeddedStore(options, localClock, log, counts), clock: localClock };
  }
  const options = {
    url: settings.store,
    password: settings['store-password'],
    cluster: settings['store-cluster'],
    timeout: settings['store-timeout'],
    lease: settings['store-lease'] * 1000,
    limits,
  };
  // Loading the client takes a sixth of the time in which a server starts, and most have no shared store.
  const { openValkey } = await import('../store/valkey.ts');
  const { clock, ...store } = await openValkey(options, log, counts);
  return { store, clock };
};
