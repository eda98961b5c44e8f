/** A store that can be told to open no new rooms for a while; those that live go on. */
import { refuse } from '../protocol/errors.ts';
import type { Store } from './store.ts';

/** @param accepting whether a room may be opened now; asked for every command on a room without peers */
export const pausable = (store: Store, accepting: () => boolean): Store => ({
  ...store,
  // A room without peers is one that does not exist: whatever is done there first would open it.
  commit: (room, command) =>
    store.commit(room, (place, now) =>
      place.peers.size === 0 && !accepting() ? refuse('too-many-rooms', 'it opens none for now') : command(place, now),
    ),
});
