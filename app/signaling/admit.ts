/** Whether a caller may come in: the rate of its address, its token, and the single use of that. */
import type { Gate, Grant } from '../auth/token.ts';
import { errors, type Refusal, refuse } from '../protocol/errors.ts';
import type { RoomName } from '../protocol/messages.ts';
import type { Store } from '../store/store.ts';
import type { Throttle } from './throttle.ts';

/** Who asks. `token`: what the head of its connection or request carried; what a message carries counts before it. */
export type Caller = { address: string | undefined; token?: string | undefined };

export type Doorkeeping = {
  authorise: Gate;
  /** Entrances by address, and wrong tokens and passcodes. */
  joins: Throttle;
  attempts: Throttle;
  /** Questions who is inside. */
  looks: Throttle;
  store: Pick<Store, 'claim' | 'release'>;
  clock: () => number;
};

/** Asked of everyone who enters anew. Whoever is refused later on is to `restore` what it was granted. */
export const admit = async (door: Doorkeeping, room: RoomName, caller: Caller): Promise<Grant | Refusal> => {
  const wait = door.joins.take(caller.address, door.clock());
  return wait > 0 ? tooOften(wait) : redeem(door, room, caller);
};

/** What the caller's token grants; takes its single use, if it has one. */
export const redeem = async (
  door: Doorkeeping,
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
export const restore = async ({ store }: Doorkeeping, { once }: Grant): Promise<void> => {
  if (once) await store.release(once.id);
};

/**
 * Lets a passcode be tried: counted before it is looked at, so that many at the same time are as many, and given back
 * when it was not wrong.
 */
export const guess = async <T extends object>(
  { attempts, clock }: Pick<Doorkeeping, 'attempts' | 'clock'>,
  { address }: Caller,
  attempt: () => Promise<T | Refusal>,
): Promise<T | Refusal> => {
  const wait = attempts.take(address, clock());
  if (wait > 0) return tooOften(wait);
  const outcome = await attempt();
  if (!('refused' in outcome && outcome.refused === 'wrong-passcode')) attempts.giveBack(address, clock());
  return outcome;
};

/** Counts a wrong token: the refusal, or that there were too many from this address. */
const wrongTry = ({ attempts, clock }: Doorkeeping, address: string | undefined, refusal: Refusal): Refusal => {
  const wait = attempts.take(address, clock());
  return wait > 0 ? tooOften(wait) : refusal;
};

/** @param wait ms until it may be tried again; not less than for any other haste, or a crowd would come back at once */
export const tooOften = (wait: number): Refusal => ({
  refused: 'rate-limited',
  detail: 'from this address',
  retry: Math.max(wait, errors['rate-limited'].retry),
});
