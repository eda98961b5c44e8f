/** Refusals counted by client address: one of which too much was refused gets nothing but 429, until its budget has recovered. */
import { isIP } from 'node:net';
import type { AddressBudgets } from '../budgets/address-budgets.ts';

/** ms between two log lines about such addresses. */
const logInterval = 60_000;

/**
 * @param isShared addresses that are not counted: behind a private address, or one of a front end, there may be all clients of a
 * proxy that does not pass their addresses on, and one client must not keep the others out
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
