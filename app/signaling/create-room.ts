/** Creates a room with settings, for a client that will join it later. */
import { newSalt, type Passcode } from '../auth/passcode.ts';
import { smallestNetwork } from '../budgets/address.ts';
import type { Refusal } from '../protocol/errors.ts';
import type { Created, RoomOptions } from '../protocol/http-answers.ts';
import type { RoomName } from '../protocol/messages.ts';
import { create } from '../rooms/create.ts';
import { authorize, type Caller, hashFor, restoreToken } from './authorize.ts';
import type { Signaling } from './context.ts';

/** Costs as much as a join. A token for a single use stays usable, for the join. */
export const createRoom = async (
  signaling: Signaling,
  name: RoomName,
  options: RoomOptions,
  caller: Caller,
): Promise<Created | Refusal> => {
  const granted = await authorize(signaling, name, caller);
  if ('refused' in granted) return granted;
  await restoreToken(signaling, granted);
  const passcode = await hashed(signaling, options.passcode, caller);
  if (passcode && 'refused' in passcode) return passcode;
  const { store, sessions, clock, addresses, limits } = signaling;
  const { session, secretHash } = sessions.mint(name, clock());
  const mayOpen = addresses.hasRoomFor('rooms', caller.address);
  const from = smallestNetwork(caller.address);
  const by = { secretHash, access: options.access, passcode, granted, from, mayOpen };
  const created = await store.commit(name, (room, now) => create(room, by, now, limits.rules));
  if ('refused' in created) return created;
  addresses.hold('rooms', caller.address);
  return { session, memory: limits.rules.roomMemory / 1000 };
};

const hashed = async (
  signaling: Signaling,
  text: string | undefined,
  caller: Caller,
): Promise<Passcode | Refusal | undefined> => {
  if (text === undefined) return undefined;
  const salt = newSalt();
  const hash = await hashFor(signaling, caller, text, salt);
  return typeof hash === 'string' ? { salt, hash } : hash;
};
