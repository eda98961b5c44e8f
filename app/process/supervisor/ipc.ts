/** Messages between the supervisor and its workers, and the schemas that validate them on receipt. */
import type { ChildProcess } from 'node:child_process';
import { z } from 'zod';
import { showAddress } from '../../config/address.ts';
import type { Settings } from '../../config/schema.ts';
import { listenSettings } from '../bind-plan.ts';

/** One per endpoint of the worker; `fd` as numbered in the worker, `address` for display. */
const givenSocket = z.object({ setting: z.enum(listenSettings), address: z.string(), fd: z.int() });

const part = z.object({ type: z.literal('part'), part: z.unknown() });
const partsEnd = z.object({ type: z.literal('parts-end') });
const listening = z.object({ setting: z.string(), address: z.string(), url: z.string().optional() });
export type Listening = z.infer<typeof listening>;

/**
 * `start`: the worker's number, its settings (parsed by the schema), its sockets, and ms between beats; an `heir` sends `ready`
 * when it could listen, then waits for the state of its predecessor. `hand-over`: disconnect all clients and send the rooms,
 * each as a `part`; ignored after `until` (`monotonic`), when the supervisor no longer waits. `part`: one for the successor;
 * `parts-end`: the last one was sent. `shed`: free memory that is not essential. `drain`: exit within `seconds`, after accepting
 * clients for another `delay` seconds while not ready. `accept`: whether new rooms may be opened.
 * `report`: request for statistics, answered with the same id. `reopen`: reopen the log file.
 */
export const toWorker = z.discriminatedUnion('type', [
  z.object({
    type: z.literal('start'),
    settings: z.record(z.string(), z.unknown()),
    worker: z.int(),
    of: z.int(),
    places: z.array(givenSocket),
    beat: z.number(),
    accepting: z.boolean(),
    heir: z.boolean().default(false),
  }),
  // A supervisor of an earlier release sends no `until`.
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
 * `hands-over`: it has begun the hand-over and no longer serves clients; its parts follow. `beat`: rss in bytes, lag in ms (how
 * late the last beat was). `failed`: it could not start.
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

/** ms of the monotonic clock that all processes of this machine share. */
export const monotonic = (): number => Number(process.hrtime.bigint() / 1_000_000n);

/** Sends a message if the channel is open; a broken channel is handled elsewhere. */
export const tell = <T extends ToWorker | FromWorker>(
  to: Pick<ChildProcess, 'connected' | 'send'>,
  message: T,
): void => {
  if (to.connected) to.send(message, () => {});
};

/** Settings in a form that the schema parses again: a respawned worker gets the same settings, even if files have changed. */
export const portable = (settings: Settings): Record<string, unknown> =>
  Object.fromEntries(
    Object.entries(settings).map(([name, value]) => [
      name,
      Array.isArray(value) ? value.map((item) => (typeof item === 'object' ? showAddress(item) : item)) : value,
    ]),
  );
