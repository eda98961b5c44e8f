/** Authorizes callers: the join rate of the address, the token, and its single use. */
import type { PasscodeHasher } from '../auth/passcode.ts';
import type { Grant, TokenVerifier } from '../auth/token.ts';
import { largestNetwork } from '../budgets/address.ts';
import type { AddressBudgets } from '../budgets/address-budgets.ts';
import type { KeyedBuckets } from '../budgets/keyed-buckets.ts';
import { errors, type Refusal, refuse } from '../protocol/errors.ts';
import type { RoomName } from '../protocol/messages.ts';
import type { Store } from '../store/store.ts';

/**
 * A client. `token`: the one in the headers of its request or handshake; a token in a message takes precedence. `crossSite`: a page of
 * another origin sent the request or handshake.
 */
export type Caller = { address: string | undefined; token?: string | undefined; crossSite?: boolean };

export type AuthorizationContext = {
  authorise: TokenVerifier;
  /** Budgets by address: joins, wrong tokens and passcodes, occupancy requests, passcode hashes, messages. */
  addresses: AddressBudgets;
  /** Budgets for wrong passcodes, by room. */
  roomGuesses: KeyedBuckets;
  passcodes: PasscodeHasher;
  store: Pick<Store, 'claim' | 'release'>;
  clock: () => number;
};

/** Checks a caller that joins without a seat. If the join fails later, pass the grant to `restoreToken`. */
export const authorize = async (
  context: AuthorizationContext,
  room: RoomName,
  caller: Caller,
): Promise<Grant | Refusal> => {
  const wait = context.addresses.take('joins', caller.address, context.clock());
  return wait > 0 ? tooOften(wait) : redeemToken(context, room, caller);
};

/** Verifies the caller's token and consumes its single use, if it has one. @returns what the token grants */
export const redeemToken = async (
  context: AuthorizationContext,
  room: RoomName,
  { address, token }: Caller,
): Promise<Grant | Refusal> => {
  const granted = await context.authorise(token, room, context.clock());
  if ('refused' in granted) {
    // Only `token-invalid` counts as a guess. Every other refusal means that the signature verified, so an expired link,
    // as a whole class may have, must not lock out its address.
    return granted.refused === 'token-invalid' ? chargeWrongToken(context, address, granted) : granted;
  }
  const { once } = granted;
  const claimed = once ? await context.store.claim(once.id, once.until) : true;
  if (typeof claimed === 'object') return claimed;
  return claimed ? granted : refuse('token-used');
};

/** Restores the single use of a token whose join failed. */
export const restoreToken = async ({ store }: AuthorizationContext, { once }: Grant): Promise<void> => {
  if (once) await store.release(once.id);
};

type GuessBudgets = Pick<AuthorizationContext, 'addresses' | 'roomGuesses' | 'clock'>;

/**
 * Charges an attempt with a passcode before it runs, so that concurrent attempts all count; pass its outcome to `settleGuess`.
 * Once the budget of the room is used up, only addresses without a recent wrong guess may still try.
 * @returns the refusal when a budget is used up
 */
export const chargeGuess = (
  { addresses, roomGuesses, clock }: GuessBudgets,
  room: RoomName,
  { address }: Caller,
): Refusal | undefined => {
  const suspect = !addresses.isUnused('guesses', address, clock());
  const roomWait = suspect ? roomGuesses.wait(room, clock()) : 0;
  if (roomWait > 0) return { ...tooOften(roomWait), detail: 'for this room' };
  const wait = addresses.take('guesses', address, clock());
  return wait > 0 ? tooOften(wait) : undefined;
};

/** Charges a wrong passcode to the room too, and refunds any other attempt. */
export const settleGuess = (
  { addresses, roomGuesses, clock }: GuessBudgets,
  room: RoomName,
  { address }: Caller,
  outcome: object | Refusal,
): void => {
  if ('refused' in outcome && outcome.refused === 'wrong-passcode') roomGuesses.charge(room, clock());
  else addresses.giveBack('guesses', address, clock());
};

/** Hashes a passcode, within the budget of the address. */
export const hashFor = (
  { addresses, passcodes, clock }: Pick<AuthorizationContext, 'addresses' | 'passcodes' | 'clock'>,
  { address }: Caller,
  text: string,
  salt: string,
): Promise<string> | Refusal => {
  const wait = passcodes.knows(text, salt) ? 0 : addresses.take('hashes', address, clock());
  return wait > 0 ? tooOften(wait) : passcodes.hash(text, salt, largestNetwork(address));
};

/** Charges a wrong token. @returns `refusal`, or `rate-limited` when the address has sent too many */
const chargeWrongToken = (
  { addresses, clock }: AuthorizationContext,
  address: string | undefined,
  refusal: Refusal,
): Refusal => {
  const wait = addresses.take('guesses', address, clock());
  return wait > 0 ? tooOften(wait) : refusal;
};

export const tooManyConnections = (): Refusal => ({ ...tooOften(0), detail: 'connections from this address' });

/** @param wait ms until a retry; raised to the default of `rate-limited`, or a crowd would retry at once */
export const tooOften = (wait: number): Refusal => ({
  refused: 'rate-limited',
  detail: 'from this address',
  retry: Math.max(wait, errors['rate-limited'].retry),
});
