/** Counts refusals per client address. An address that exceeds its budget receives only 429 until the budget has recovered. */
import { isIP } from 'node:net';
import type { AddressBudgets } from '../budgets/address-budgets.ts';

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
): ((address: string | undefined) => void) => {
  let logged = Number.NEGATIVE_INFINITY;
  return (address) => {
    if (address === undefined || isIP(address) === 0 || isShared(address)) return;
    const now = clock();
    addresses.charge('refusals', address, now);
    if (now - logged < logInterval || !addresses.isSpent('refusals', address, now)) return;
    logged = now;
    log.warn({ ip: address }, 'too many requests from an address were refused; its requests are answered 429 for now');
  };
};
