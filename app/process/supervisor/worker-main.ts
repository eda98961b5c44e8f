/** A worker's own side: waits to be told what it is, serves, gives signs of life, and ends with its supervisor. */
import type { z } from 'zod';
import { schema } from '../../config/schema.ts';
import { openLog } from '../../logging/logger.ts';
import { type Running, serve } from '../../serve.ts';
import { residentBytes } from '../../stats/snapshot.ts';
import { type FromWorker, monotonic, toWorker } from './ipc.ts';

type Start = Extract<z.infer<typeof toWorker>, { type: 'start' }>;
/** Seconds to say good-bye once the supervisor is gone: the next one wants the addresses. */
const orphanGrace = 1;

/** @returns the exit code: 0 when it was asked to end */
export const runWorker = async (): Promise<number> => {
  const orders = hearOrders();
  const start = await Promise.race([orders.start, orders.orphaned]);
  if (!start) return 1;
  try {
    const settings = schema.parse(start.settings);
    // The supervisor has made sure that the file can be opened; if it cannot be for now, visitors are served all the same.
    const log = openLog(settings, { worker: start.of > 1 ? start.worker : undefined, mustOpen: false });
    orders.onReopen(log.reopen);
    const places = start.places.map(({ setting, address, fd }) => ({
      setting,
      shown: address,
      address: { kind: 'fd', fd } as const,
    }));
    const inheritance = () => {
      say({ type: 'ready' });
      return orders.inheritance;
    };
    const { accepting } = orders;
    const serving = serve(settings, log.logger, { places, accepting, ...(start.heir ? { inheritance } : {}) });
    const running = await Promise.race([serving, orders.orphaned]);
    if (!running) return 1;
    const beats = giveSigns(running, start.beat);
    const ended = untilEnded(running, orders, settings['drain-timeout']);
    say({ type: 'listening', listening: running.listening });
    const code = await ended;
    clearInterval(beats);
    return code;
  } catch (error) {
    say({ type: 'failed', reason: error instanceof Error ? error.message : String(error) });
    // Until the reason has left.
    await new Promise((resolve) => setTimeout(resolve, 50));
    return 1;
  }
};

type Drain = Pick<Extract<z.infer<typeof toWorker>, { type: 'drain' }>, 'seconds' | 'delay'>;
type Orders = {
  start: Promise<Start>;
  /** Resolves when the supervisor is gone. */
  orphaned: Promise<undefined>;
  accepting: () => boolean;
  /** Resolves with all parts that the predecessor left. */
  inheritance: Promise<unknown[]>;
  onHandOver: (obey: () => void) => void;
  onShed: (obey: () => void) => void;
  onDrain: (obey: (order: Drain) => void) => void;
  onReport: (answer: () => Promise<unknown>) => void;
  onReopen: (obey: () => void) => void;
};

/** Hears everything from the first moment; what nobody listens for yet is kept. */
const hearOrders = (): Orders => {
  const start = Promise.withResolvers<Start>();
  const orphaned = Promise.withResolvers<undefined>();
  const drain = Promise.withResolvers<Drain>();
  const inheritance = Promise.withResolvers<unknown[]>();
  const parts: unknown[] = [];
  let accepting = true;
  let handOver = (): void => {};
  let shed = (): void => {};
  let obey = (order: Drain): void => drain.resolve(order);
  let reopen = (): void => {};
  let report = async (): Promise<unknown> => undefined;
  process.on('message', (text) => {
    const order = toWorker.safeParse(text).data;
    switch (order?.type) {
      case 'start':
        accepting = order.accepting;
        return start.resolve(order);
      case 'accept':
        accepting = order.rooms;
        return;
      case 'hand-over':
        // Too late: the heir is gone, and what was given to it would be lost.
        if (monotonic() <= (order.until ?? Number.POSITIVE_INFINITY)) handOver();
        return;
      case 'shed':
        return shed();
      case 'part':
        parts.push(order.part);
        return;
      case 'parts-end':
        return inheritance.resolve(parts);
      case 'drain':
        return obey(order);
      case 'reopen':
        return reopen();
      case 'report':
        report().then(
          (made) => say({ type: 'report', id: order.id, report: made }),
          // The caller continues without it after a timeout.
          () => {},
        );
        return;
    }
  });
  process.once('disconnect', () => orphaned.resolve(undefined));
  return {
    start: start.promise,
    orphaned: orphaned.promise,
    accepting: () => accepting,
    inheritance: inheritance.promise,
    onHandOver(handler) {
      handOver = handler;
    },
    onShed(handler) {
      shed = handler;
    },
    onDrain(handler) {
      obey = handler;
      drain.promise.then(handler);
    },
    onReopen(handler) {
      reopen = handler;
    },
    onReport(answer) {
      report = answer;
    },
  };
};

/**
 * TERM drains this worker alone, and its supervisor starts another. INT and HUP come from a terminal to the whole group
 * and are the supervisor's to understand; USR1 and USR2 would otherwise end it or open Node's inspector.
 */
const untilEnded = (running: Running, orders: Orders, drainTimeout: number): Promise<number> =>
  new Promise((resolve) => {
    const end = (within: number, delay: number, code: number) => {
      running.stop({ within, delay }).then(
        () => resolve(code),
        () => resolve(1),
      );
    };
    orders.onDrain(({ seconds, delay }) => end(seconds, delay, 0));
    orders.onHandOver(() => void handOver(running));
    orders.onShed(running.shed);
    orders.onReport(running.readings.report);
    orders.orphaned.then(() => end(orphanGrace, 0, 1));
    process.on('SIGTERM', () => end(drainTimeout, 0, 0));
    for (const signal of ['SIGINT', 'SIGHUP', 'SIGUSR1', 'SIGUSR2', 'SIGTSTP'] as const) process.on(signal, () => {});
  });

/** Part by part, each once the one before has left: rooms are not in memory as text all at once. */
const handOver = async (running: Running): Promise<void> => {
  await said({ type: 'hands-over' });
  for (const part of running.handOver()) await said({ type: 'part', part });
  say({ type: 'parts-end' });
};

/** Says every so often that it turns, and how it is. */
const giveSigns = (running: Running, interval: number): NodeJS.Timeout => {
  let due = performance.now();
  const beat = (): void => {
    const now = performance.now();
    const lag = Math.max(0, Math.round(now - due));
    due = now + interval;
    say({ type: 'beat', rss: residentBytes(), lag, ...running.count() });
  };
  beat();
  return setInterval(beat, interval);
};

const say = (message: FromWorker): void => void said(message);

/** Resolves when the message has left, or cannot. */
const said = (message: FromWorker): Promise<void> =>
  new Promise((resolve) => {
    if (process.connected) process.send?.(message, undefined, undefined, () => resolve());
    else resolve();
  });
