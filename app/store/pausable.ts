/** Wraps a store so that opening new rooms can be refused; existing rooms are unaffected. */
import type { Refusal } from '../protocol/errors.ts';
import type { Command } from '../rooms/room.ts';
import type { Store } from './store.ts';

/** @param refusal why no room may be opened now, if so; called for every command on an empty room */
export const pausable = (store: Store, refusal: () => Refusal | undefined): Store => {
  // Any command on an empty room could open it.
  const unlessPaused =
    <T>(command: Command<T>): Command<T> =>
    (room, now) =>
      (room.peers.size + room.waiting.size === 0 && refusal()) || command(room, now);
  const { commitNow } = store;
  return {
    ...store,
    commit: (room, command, insist) => store.commit(room, unlessPaused(command), insist),
    ...(commitNow && { commitNow: (room, command) => commitNow(room, refusal() ? unlessPaused(command) : command) }),
  };
};
