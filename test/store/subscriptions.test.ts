/** Subscriptions to a store that fails for a while without a loss of the connection, as a cluster does while it moves a slot. */
import { afterEach, expect, test, vi } from 'vitest';
import type { RoomLogEntry } from '../../app/rooms/event-log.ts';
import { writeEntry } from '../../app/store/room-codec.ts';
import { Subscriptions } from '../../app/store/subscriptions.ts';
import { StoreUnavailable } from '../../app/store/valkey-connection.ts';

type Step = 'head' | 'subscribe' | 'tail';

afterEach(() => {
  vi.restoreAllMocks();
});

/** A store with one room. `failing`: the steps that fail now, and how. */
const subscribed = async (initially: [Step, Error][] = []) => {
  const failing = new Map<Step, Error>(initially);
  const log: RoomLogEntry[] = [];
  const calls: Record<Step, number> = { head: 0, subscribe: 0, tail: 0 };
  const channel: { publish: (message: string) => void } = { publish: () => {} };
  const attempt = async (step: Step): Promise<void> => {
    calls[step] += 1;
    const error = failing.get(step);
    if (error) throw error;
  };
  const source = {
    ready: true,
    async subscribe(_channel: string, listener: (message: string) => void) {
      await attempt('subscribe');
      channel.publish = listener;
    },
    unsubscribe: () => {},
    async head() {
      const seq = log.length;
      await attempt('head');
      return { life: 'life', seq };
    },
    async tail(_room: string, after: number) {
      await attempt('tail');
      const tail = { version: 'life.1', seq: log.length };
      return after > log.length ? tail : { ...tail, entries: log.slice(after) };
    },
  };
  const logged: [string, object][] = [];
  const note = (fields: object, message: string) => void logged.push([message, fields]);
  const subscriptions = new Subscriptions(source, { info: note, warn: note });
  const received: number[] = [];
  const lost = vi.fn();
  subscriptions.subscribe('room', ({ seq }) => received.push(seq), lost);
  let now = performance.now();
  vi.spyOn(performance, 'now').mockImplementation(() => now);
  const settle = () => new Promise((resolve) => setImmediate(resolve));
  await settle();
  return {
    ...{ failing, received, lost, logged, calls, source, subscriptions, settle },
    /** Appends an event to the log, and publishes it unless it gets lost. */
    async happen(isPublished = true) {
      const event = { type: 'chat', from: 'a', text: 'x', at: 0 } as const;
      log.push({ seq: log.length + 1, at: 0, event });
      if (isPublished) channel.publish(`life\n${log.length}\n${writeEntry({ at: 0, event })}`);
      await settle();
    },
    async tick(ms: number) {
      now += ms;
      subscriptions.tick();
      await settle();
    },
  };
};
const tryAgain = new StoreUnavailable('TRYAGAIN Multiple keys request during rehashing of slot');
const otherFormat = new Error('the store has room "room" in format 2');

test.each([
  ['TRYAGAIN', tryAgain],
  ['a room in another format', otherFormat],
])('a log that cannot be read for a while delays the events and loses none: %s', async (_, error) => {
  const { failing, received, lost, logged, happen, tick } = await subscribed();
  await happen();
  failing.set('tail', error);
  await happen(false);
  await happen();
  await happen();
  expect(received).toEqual([1]);
  await tick(60_000);
  expect(received).toEqual([1]);
  expect(logged).toContainEqual([expect.stringContaining('cannot be read'), { rooms: 1, err: String(error) }]);
  failing.clear();
  await tick(60_000);
  expect(received).toEqual([1, 2, 3, 4]);
  await happen();
  expect(received).toEqual([1, 2, 3, 4, 5]);
  await tick(0);
  expect(logged.at(-1)?.[0]).toContain('read again');
  expect(lost).not.toHaveBeenCalled();
});

test.each(['head', 'subscribe'] as const)('a subscription whose %s fails is repeated', async (step) => {
  const { failing, received, lost, happen, tick } = await subscribed([[step, tryAgain]]);
  await happen();
  failing.clear();
  await tick(60_000);
  await happen();
  expect(received.at(-1)).toBe(2);
  // Without the head, nobody knows which events were missed: the peers have to resume.
  expect(step === 'head' ? lost.mock.calls.length : received).toEqual(step === 'head' ? 1 : [1, 2]);
});

test('retries back off and are not logged each', async () => {
  const { failing, logged, calls, happen, tick } = await subscribed();
  failing.set('tail', otherFormat);
  await happen(false);
  await happen();
  const before = calls.tail;
  for (let at = 0; at < 480; at += 1) await tick(250);
  expect(calls.tail - before).toBeGreaterThan(5);
  expect(calls.tail - before).toBeLessThan(20);
  expect(logged.length).toBeLessThanOrEqual(2);
});

test('a read that fails after a reconnect has begun another does not disturb that one', async () => {
  const { source, subscriptions, received, happen, settle } = await subscribed();
  const { tail } = source;
  let fail: (error: Error) => void = () => {};
  source.tail = () => new Promise((_, reject) => (fail = reject));
  await happen(false);
  await happen();
  source.tail = tail;
  subscriptions.resume();
  fail(tryAgain);
  await settle();
  expect(received).toEqual([1, 2]);
  await happen();
  expect(received).toEqual([1, 2, 3]);
});

test('a message that cannot be read does not reach the connection, and the log has the event', async () => {
  const { received, happen, source, subscriptions, tick } = await subscribed();
  let publish: (message: string) => void = () => {};
  source.subscribe = async (_channel, listener) => {
    publish = listener;
  };
  subscriptions.resume();
  await happen();
  expect(() => publish('life\n2\nnot an event')).not.toThrow();
  await happen(false);
  await tick(60_000);
  expect(received).toEqual([1, 2]);
});
