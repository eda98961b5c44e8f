/** A store that can be told to open no new rooms for a while; those that live go on. */
import { refuse } from '../protocol/errors.ts';
import type { Command } from '../rooms/room.ts';
import type { Store } from './store.ts';

/** @param accepting whether a room may be opened now; asked for every command on a room without peers */
export const pausable = (store: Store, accepting: () => boolean): Store => {
  // Where nobody is and nobody waits, whatever is done first would open the room.
  const unlessPaused =
    <T>(command: Command<T>): Command<T> =>
    (room, now) =>
      room.peers.size + room.waiting.size === 0 && !accepting()
        ? refuse('too-many-rooms', 'it opens none for now')
        : command(room, now);
  const { commitNow } = store;
  return {
    ...store,
    commit: (room, command, insist) => store.commit(room, unlessPaused(command), insist),
    ...(commitNow && { commitNow: (room, command) => commitNow(room, unlessPaused(command)) }),
  };
};
