/** The signaling cases of app/conform as tests: every case that the transport supports, concurrently. */
import { describe, test } from 'vitest';
import { isFor } from '../../app/conform/case.ts';
import { Context } from '../../app/conform/context.ts';
import { guarantees } from '../../app/conform/spec.ts';
import type { Transport } from '../../app/conform/transports.ts';
import { addressBudgetsLifted } from '../setup/lifted-budgets.ts';

/** Settings under which every case runs, and quickly: short times, small rooms, a small log; and no limits by address. */
export const specSettings = [
  ['--max-peers', '4'],
  ['--grace', '3'],
  ['--return-grace', '2'],
  ['--poll-grace', '2'],
  ['--heartbeat', '1'],
  ['--log-events', '16'],
  ['--message-rate', '50'],
  ['--message-burst', '100'],
  ['--join-timeout', '4'],
  ['--attempt-burst', '1000000'],
  ['--drain-timeout', '2'],
  addressBudgetsLifted,
].flat();

/** The guarantees that a listener or a proxy can break: relaying, close codes, limits, and how each transport works. */
export const wireLevel = [2, 5, 7, 9];

/**
 * @param site the base URL of the server under test, or of the front end
 * @param numbers of the guarantees whose cases run; undefined = all
 */
export const describeSignaling = (name: string, site: () => string, transport: Transport, numbers?: number[]): void => {
  const chosen = guarantees.filter((_, index) => numbers === undefined || numbers.includes(index + 1));
  describe.concurrent(`${transport.name} ${name}`, () => {
    // That of the context: the global one may belong to another concurrent test.
    for (const one of chosen.flatMap(({ cases }) => cases.filter((each) => isFor(each, transport))))
      test(one.name, async ({ onTestFinished }) => {
        const context = new Context({ base: site(), grace: 3000 }, transport);
        onTestFinished(() => context.dispose());
        await one.run(context);
      });
  });
};
