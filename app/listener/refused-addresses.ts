/** Counts refusals per client address. An address that exceeds its budget receives only 429 until the budget has recovered. */
import { isIP } from 'node:net';
import type { AddressBudgets, AddressRate } from '../budgets/address-budgets.ts';

/** Called for each refusal that a client at this address has caused. @param crossSite see `isCrossSite` */
export type RefusedTo = (address: string | undefined, crossSite?: boolean) => void;

/**
 * Whether a page of another origin made the browser send this request: the value of `Sec-Fetch-Site` is `cross-site` or `same-site`.
 * Such requests have a budget of their own and never bar others: any page could use up the budget of its visitors' networks. A client
 * that forges the header bars only its own forged requests.
 */
export const isCrossSite = (secFetchSite: unknown): boolean =>
  secFetchSite === 'cross-site' || secFetchSite === 'same-site';

export const refusalRate = (crossSite: boolean): AddressRate => (crossSite ? 'crossSiteRefusals' : 'refusals');

/** ms between log lines about such addresses. */
const logInterval = 60_000;

/**
 * @param isShared addresses that are not counted: all clients of a proxy that does not forward their addresses may share a private
 * or front-end address, and one client must not lock out the others
 */
export const refusalsByAddress = (
  addresses: AddressBudgets,
  clock: () => number,
  isShared: (address: string) => boolean,
  log: { warn(fields: object, message: string): void },
): RefusedTo => {
  let logged = Number.NEGATIVE_INFINITY;
  return (address, crossSite = false) => {
    if (address === undefined || isIP(address) === 0 || isShared(address)) return;
    const now = clock();
    const rate = refusalRate(crossSite);
    addresses.charge(rate, address, now);
    if (now - logged < logInterval || !addresses.isSpent(rate, address, now)) return;
    logged = now;
    log.warn({ ip: address }, 'too many requests from an address were refused; its requests are answered 429 for now');
  };
};
