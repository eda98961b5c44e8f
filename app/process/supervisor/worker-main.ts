/** The worker process: waits for its assignment, serves, sends heartbeats, and exits with its supervisor. */
import type { z } from 'zod';
import { messageOf } from '../../config/result.ts';
import { schema } from '../../config/schema.ts';
import { openLog } from '../../logging/logger.ts';
import { type Running, serve } from '../../serve.ts';
import { residentBytes } from '../../stats/snapshot.ts';
import { type FromWorker, monotonic, toWorker } from './ipc.ts';

type Start = Extract<z.infer<typeof toWorker>, { type: 'start' }>;
/** Seconds to drain once the supervisor is gone: a new supervisor needs the addresses. */
const orphanGrace = 1;

/** @returns the exit code: 0 after a requested end */
export const runWorker = async (): Promise<number> => {
  const orders = receiveOrders();
  const start = await Promise.race([orders.start, orders.orphaned]);
  if (!start) return 1;
  try {
    // A supervisor of an earlier release knows this setting by its former name.
    const settings = schema.parse({ 'max-ended-sessions': start.settings['max-bans'], ...start.settings });
    // The supervisor has checked that the file can be opened; if opening fails now, clients are still served.
    const log = openLog(settings, { worker: start.of > 1 ? start.worker : undefined, mustOpen: false });
    orders.onReopen(log.reopen);
    const endpoints = start.places.map(({ setting, address, fd }) => ({
      setting,
      shown: address,
      address: { kind: 'fd', fd } as const,
    }));
    const inheritance = () => {
      send({ type: 'ready' });
      return orders.inheritance;
    };
    const { accepting } = orders;
    const serving = serve(settings, log.logger, {
      places: endpoints,
      accepting,
      worker: start.worker,
      ...(start.heir ? { inheritance } : {}),
    });
    const running = await Promise.race([serving, orders.orphaned]);
    if (!running) return 1;
    const heartbeat = startHeartbeat(running, start.beat);
    const ended = untilEnded(running, orders, settings['drain-timeout']);
    send({ type: 'listening', listening: running.listening });
    const code = await ended.catch((error: unknown) => {
      log.logger.error({ err: error }, 'the rooms could not be handed over');
      return 1;
    });
    clearInterval(heartbeat);
    return code;
  } catch (error) {
    send({ type: 'failed', reason: messageOf(error) });
    // Time for the message to be sent.
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
  /** Resolves with all parts received from the predecessor. */
  inheritance: Promise<unknown[]>;
  onHandOver: (handler: () => void) => void;
  onShed: (handler: () => void) => void;
  onDrain: (handler: (order: Drain) => void) => void;
  onReport: (handler: () => Promise<unknown>) => void;
  onReopen: (handler: () => void) => void;
};

/** Listens from the start; orders that arrive before their handler are kept. */
const receiveOrders = (): Orders => {
  const start = Promise.withResolvers<Start>();
  const orphaned = Promise.withResolvers<undefined>();
  const drain = Promise.withResolvers<Drain>();
  const inheritance = Promise.withResolvers<unknown[]>();
  const parts: unknown[] = [];
  let accepting = true;
  let handOver = (): void => {};
  let shed = (): void => {};
  let startDrain = (order: Drain): void => drain.resolve(order);
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
        // After the deadline the successor is gone, and the rooms would be lost.
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
        return startDrain(order);
      case 'reopen':
        return reopen();
      case 'report':
        report().then(
          (made) => send({ type: 'report', id: order.id, report: made }),
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
      startDrain = handler;
      drain.promise.then(handler);
    },
    onReopen(handler) {
      reopen = handler;
    },
    onReport(handler) {
      report = handler;
    },
  };
};

/**
 * TERM drains this worker only, and its supervisor starts another. INT and HUP from a terminal reach the whole process group and
 * are handled by the supervisor; USR1 and USR2 would otherwise end the worker or open Node's inspector.
 * @throws if the rooms cannot be handed over: the store then takes no commands any more
 */
const untilEnded = (running: Running, orders: Orders, drainTimeout: number): Promise<number> =>
  new Promise((resolve, reject) => {
    const end = (within: number, delay: number, code: number) => {
      running.stop({ within, delay }).then(
        () => resolve(code),
        () => resolve(1),
      );
    };
    orders.onDrain(({ seconds, delay }) => end(seconds, delay, 0));
    orders.onHandOver(() => handOver(running).catch(reject));
    orders.onShed(running.shed);
    orders.onReport(running.readings.report);
    orders.orphaned.then(() => end(orphanGrace, 0, 1));
    process.on('SIGTERM', () => end(drainTimeout, 0, 0));
    for (const signal of ['SIGINT', 'SIGHUP', 'SIGUSR1', 'SIGUSR2', 'SIGTSTP'] as const) process.on(signal, () => {});
  });

/** Sends one part at a time, so that not all rooms are serialized in memory at once. */
const handOver = async (running: Running): Promise<void> => {
  await sendAndWait({ type: 'hands-over' });
  for (const part of running.handOver()) await sendAndWait({ type: 'part', part });
  send({ type: 'parts-end' });
};

/** Sends a `beat` at each interval, and one at once. */
const startHeartbeat = (running: Running, interval: number): NodeJS.Timeout => {
  let due = performance.now();
  const beat = (): void => {
    const now = performance.now();
    const lag = Math.max(0, Math.round(now - due));
    due = now + interval;
    send({ type: 'beat', rss: residentBytes(), lag, ...running.count() });
  };
  beat();
  return setInterval(beat, interval);
};

const send = (message: FromWorker): void => void sendAndWait(message);

/** Resolves when the message has been sent, or cannot be. */
const sendAndWait = (message: FromWorker): Promise<void> =>
  new Promise((resolve) => {
    if (process.connected) process.send?.(message, undefined, undefined, () => resolve());
    else resolve();
  });
