/** Wraps a store so that opening new rooms can be paused; existing rooms are unaffected. */
import { refuse } from '../protocol/errors.ts';
import type { Command } from '../rooms/room.ts';
import type { Store } from './store.ts';

/** @param accepting whether a room may be opened now; called for every command on an empty room */
export const pausable = (store: Store, accepting: () => boolean): Store => {
  // Any command on an empty room could open it.
  const unlessPaused =
    <T>(command: Command<T>): Command<T> =>
    (room, now) =>
      room.peers.size + room.waiting.size === 0 && !accepting()
        ? refuse('too-many-rooms', 'new rooms are paused')
        : command(room, now);
  const { commitNow } = store;
  return {
    ...store,
    commit: (room, command, insist) => store.commit(room, unlessPaused(command), insist),
    ...(commitNow && { commitNow: (room, command) => commitNow(room, accepting() ? command : unlessPaused(command)) }),
  };
};
