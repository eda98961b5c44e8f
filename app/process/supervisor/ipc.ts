/** What the supervisor and its workers say to each other, and how it is checked on arrival. */
import type { ChildProcess } from 'node:child_process';
import { z } from 'zod';
import { showAddress } from '../../config/address.ts';
import type { Settings } from '../../config/schema.ts';
import { listenSettings } from '../bind-plan.ts';

/** One for each place of the worker; `fd` as the worker has it, `address` for people. */
const given = z.object({ setting: z.enum(listenSettings), address: z.string(), fd: z.int() });
export type Given = z.infer<typeof given>;

const part = z.object({ type: z.literal('part'), part: z.unknown() });
const partsEnd = z.object({ type: z.literal('parts-end') });
const listening = z.object({ setting: z.string(), address: z.string(), url: z.string().optional() });
export type Listening = z.infer<typeof listening>;

/**
 * `start`: who it is, its settings for the schema to read, what it listens on, and ms between beats; an `heir` says `ready`
 * when it could listen, and waits for what its predecessor leaves. `hand-over`: send everyone away and give the rooms, each as
 * a `part`, unless it is later than `until` (`monotonic`), when nobody waits for them any more. `part`: one for the heir;
 * `parts-end`: there are no more. `shed`: let go of memory that can be missed. `drain`: end within `seconds`, and keep taking visitors
 * for `delay` seconds before while no longer ready. `accept`: whether new rooms may be opened.
 * `report`: statistics, to be answered under the same id. `reopen`: the log file.
 */
export const toWorker = z.discriminatedUnion('type', [
  z.object({
    type: z.literal('start'),
    settings: z.record(z.string(), z.unknown()),
    worker: z.int(),
    of: z.int(),
    places: z.array(given),
    beat: z.number(),
    accepting: z.boolean(),
    heir: z.boolean().default(false),
  }),
  // A supervisor of an earlier release gives no time.
  z.object({ type: z.literal('hand-over'), until: z.number().optional() }),
  z.object({ type: z.literal('shed') }),
  part,
  partsEnd,
  z.object({ type: z.literal('drain'), seconds: z.number(), delay: z.number() }),
  z.object({ type: z.literal('accept'), rooms: z.boolean() }),
  z.object({ type: z.literal('report'), id: z.int() }),
  z.object({ type: z.literal('reopen') }),
]);
export type ToWorker = z.input<typeof toWorker>;

/**
 * `hands-over`: it has taken that order and serves nobody any more; its parts follow. `beat`: rss in bytes, lag in ms (how late
 * the last beat was). `failed`: it could not start.
 */
export const fromWorker = z.discriminatedUnion('type', [
  z.object({ type: z.literal('ready') }),
  z.object({ type: z.literal('hands-over') }),
  part,
  partsEnd,
  z.object({ type: z.literal('listening'), listening: z.array(listening) }),
  z.object({
    type: z.literal('beat'),
    rss: z.number(),
    lag: z.number(),
    rooms: z.int(),
    peers: z.int(),
  }),
  z.object({ type: z.literal('failed'), reason: z.string() }),
  z.object({ type: z.literal('report'), id: z.int(), report: z.unknown() }),
]);
export type FromWorker = z.input<typeof fromWorker>;
export type Beat = Extract<FromWorker, { type: 'beat' }>;

/** ms of a clock that all processes of this machine share and nobody sets. */
export const monotonic = (): number => Number(process.hrtime.bigint() / 1_000_000n);

/** Says something if the other side is still there; a channel that broke is noticed elsewhere. */
export const tell = <T extends ToWorker | FromWorker>(
  to: Pick<ChildProcess, 'connected' | 'send'>,
  message: T,
): void => {
  if (to.connected) to.send(message, () => {});
};

/** Settings as the schema reads them again: a worker that is respawned gets those it had, whatever the files say by now. */
export const portable = (settings: Settings): Record<string, unknown> =>
  Object.fromEntries(
    Object.entries(settings).map(([name, value]) => [
      name,
      Array.isArray(value) ? value.map((item) => (typeof item === 'object' ? showAddress(item) : item)) : value,
    ]),
  );
