/** One promise of the protocol, as a test that runs against any server. */
import type { Context, Target } from './context.ts';
import type { Transport } from './transports.ts';

export type Case = {
  name: string;
  /** Run on these transports only. */
  on?: Transport['name'][];
  /** Additional transports that it uses. */
  also?: Transport['name'][];
  /** Minimum duration in ms with the default settings, if it is considerable. */
  lasts?: (target: Target) => number;
  /** @throws what was observed instead of what is guaranteed; NotTested */
  run(context: Context): Promise<void>;
};

export const isFor = ({ on }: Case, { name }: Transport): boolean => on === undefined || on.includes(name);
