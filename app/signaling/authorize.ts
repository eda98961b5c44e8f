/** Whether a caller may come in: the rate of its address, its token, and the single use of that. */
import type { PasscodeHasher } from '../auth/passcode.ts';
import type { Grant, TokenVerifier } from '../auth/token.ts';
import { largestNetwork } from '../budgets/address.ts';
import type { AddressBudgets } from '../budgets/address-budgets.ts';
import type { KeyedBuckets } from '../budgets/keyed-buckets.ts';
import { errors, type Refusal, refuse } from '../protocol/errors.ts';
import type { RoomName } from '../protocol/messages.ts';
import type { Store } from '../store/store.ts';

/** Who asks. `token`: what the head of its connection or request carried; what a message carries counts before it. */
export type Caller = { address: string | undefined; token?: string | undefined };

export type AuthorizationContext = {
  authorise: TokenVerifier;
  /** What addresses may use: entrances, wrong tokens and passcodes, questions who is inside, hashes, messages. */
  addresses: AddressBudgets;
  /** Wrong passcodes by room. */
  roomGuesses: KeyedBuckets;
  passcodes: PasscodeHasher;
  store: Pick<Store, 'claim' | 'release'>;
  clock: () => number;
};

/** Asked of everyone who enters without a seat. A caller that is refused later must `restore` what it was granted. */
export const authorize = async (
  door: AuthorizationContext,
  room: RoomName,
  caller: Caller,
): Promise<Grant | Refusal> => {
  const wait = door.addresses.take('joins', caller.address, door.clock());
  return wait > 0 ? tooOften(wait) : redeemToken(door, room, caller);
};

/** What the caller's token grants; takes its single use, if it has one. */
export const redeemToken = async (
  door: AuthorizationContext,
  room: RoomName,
  { address, token }: Caller,
): Promise<Grant | Refusal> => {
  const granted = await door.authorise(token, room, door.clock());
  if ('refused' in granted) {
    // Only this one may be a guess: of all others the signature was right. So a class with a link of yesterday is no attack,
    // and who guesses keeps nobody else behind the same address out.
    return granted.refused === 'token-invalid' ? wrongTry(door, address, granted) : granted;
  }
  const { once } = granted;
  const claimed = once ? await door.store.claim(once.id, once.until) : true;
  if (typeof claimed === 'object') return claimed;
  return claimed ? granted : refuse('token-used');
};

/** Gives back the single use of a token that let nobody in. */
export const restoreToken = async ({ store }: AuthorizationContext, { once }: Grant): Promise<void> => {
  if (once) await store.release(once.id);
};

/**
 * Lets a passcode be tried: counted before it is looked at, so that many at the same time are as many, and given back
 * when it was not wrong. Where many have guessed at one room, from whatever addresses, only those may still try who have not
 * guessed wrong recently.
 */
export const guess = async <T extends object>(
  door: Pick<AuthorizationContext, 'addresses' | 'roomGuesses' | 'clock'>,
  room: RoomName,
  { address }: Caller,
  attempt: () => Promise<T | Refusal>,
): Promise<T | Refusal> => {
  const { addresses, roomGuesses, clock } = door;
  const suspect = !addresses.isUnused('guesses', address, clock());
  const roomWait = suspect ? roomGuesses.wait(room, clock()) : 0;
  if (roomWait > 0) return { ...tooOften(roomWait), detail: 'at this room' };
  const wait = addresses.take('guesses', address, clock());
  if (wait > 0) return tooOften(wait);
  const outcome = await attempt();
  if ('refused' in outcome && outcome.refused === 'wrong-passcode') roomGuesses.take(room, clock());
  else addresses.giveBack('guesses', address, clock());
  return outcome;
};

/** Hashes a passcode, if the address may have that done. */
export const hashFor = (
  { addresses, passcodes, clock }: Pick<AuthorizationContext, 'addresses' | 'passcodes' | 'clock'>,
  { address }: Caller,
  text: string,
  salt: string,
): Promise<string> | Refusal => {
  const wait = passcodes.knows(text, salt) ? 0 : addresses.take('hashes', address, clock());
  return wait > 0 ? tooOften(wait) : passcodes.hash(text, salt, largestNetwork(address));
};

/** Counts a wrong token: the refusal, or that there were too many from this address. */
const wrongTry = (
  { addresses, clock }: AuthorizationContext,
  address: string | undefined,
  refusal: Refusal,
): Refusal => {
  const wait = addresses.take('guesses', address, clock());
  return wait > 0 ? tooOften(wait) : refusal;
};

export const tooManyConnections = (): Refusal => ({ ...tooOften(0), detail: 'connections from this address' });

/** @param wait ms until it may be tried again; not less than for any other haste, or a crowd would come back at once */
export const tooOften = (wait: number): Refusal => ({
  refused: 'rate-limited',
  detail: 'from this address',
  retry: Math.max(wait, errors['rate-limited'].retry),
});
