/** The server under test, on a unix socket, with a clock that the test controls. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { load } from '../../../app/config/load.ts';
import { serve } from '../../../app/serve.ts';
import { addressBudgetsLifted, flagsOf } from '../../setup/lifted-budgets.ts';

/** The server's limits, in the units of its settings; times are seconds. */
export const limits = {
  'max-peers': 6,
  'log-events': 64,
  'max-message-bytes': 65_536,
  'max-unsent-bytes': 65_536,
  'log-bytes': 393_216,
  'message-rate': 200,
  'message-burst': 100,
  'byte-rate': 100_000_000,
  'byte-burst': 100_000_000,
  'chat-history': 5,
  grace: 30,
  'join-timeout': 10,
  'room-memory': 100,
  'poll-wait': 25,
  'poll-grace': 10,
  'ping-interval': 25,
  'ack-delay': 0,
};

/** A few of such messages exceed the log, or max-unsent-bytes. */
export const heavy = 'x'.repeat(30_000);
export const isHeavy = ({ data }: Record<string, unknown>): boolean =>
  typeof data === 'object' && data !== null && 'pad' in data && data.pad === heavy;

export type Place = {
  path: string;
  now(): number;
  /** Sets the clock forward and lets the server act on it. */
  pass(ms: number): Promise<void>;
  count(): { rooms: number; peers: number };
  /** The warnings of the server. */
  warnings: string[];
  close(): void;
};

export const startPlace = async (): Promise<Place> => {
  const directory = mkdtempSync(join(tmpdir(), 'genkan-model-'));
  const path = join(directory, 'app.sock');
  const flags = [...flagsOf(limits), ...addressBudgetsLifted];
  const loaded = load(['--http-socket', path, ...flags], {});
  if ('faults' in loaded) throw new Error(loaded.faults.join('; '));
  const warnings: string[] = [];
  const logger = pino({ base: null, level: 'warn' }, { write: (line: string) => warnings.push(line) });
  let now = 1_000_000;
  let tick = async () => {};
  const running = await serve(loaded.settings, logger, {
    clock: () => now,
    ticker(given) {
      tick = given;
      return { stop() {} };
    },
  });
  return {
    path,
    now: () => now,
    async pass(ms) {
      now += ms;
      await tick();
    },
    count: running.count,
    warnings,
    close() {
      running.kill();
      void running.stop({ within: 0 });
      rmSync(directory, { recursive: true, force: true });
    },
  };
};
