/** What the two ends of a link say to each other. Signals are relayed unread, so this is where they are read. */
import type { Negotiable } from './negotiation.ts';

/**
 * The `data` of this library's signals. `link` is the generation, from 1. `renew` asks the initiator for the next one. `keep`, from the
 * initiator of a new epoch: no offer will come, the connection of before is good.
 */
export type LinkSignal = { link: number } & (Negotiable | { renew: true } | { keep: true });

const isObject = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null;

const isDescription = (value: unknown): boolean =>
  isObject(value) && typeof value.type === 'string' && typeof value.sdp === 'string';

export const isLinkSignal = (value: unknown): value is LinkSignal =>
  isObject(value) &&
  Number.isSafeInteger(value.link) &&
  (isDescription(value.description) ||
    isObject(value.candidate) ||
    value.restart === true ||
    value.renew === true ||
    value.keep === true);

export const isOffer = (signal: LinkSignal): boolean => 'description' in signal && signal.description.type === 'offer';
