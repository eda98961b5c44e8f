/** A worker's snapshot for tests, and a server with its statistics listeners. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { load } from '../../app/config/load.ts';
import { createPino } from '../../app/logging/logger.ts';
import { serve } from '../../app/serve.ts';
import { zeroCounts } from '../../app/stats/counters.ts';
import { serveStats } from '../../app/stats/server.ts';
import type { Snapshot } from '../../app/stats/uwsgi-json.ts';

export const aSnapshot = (change: Partial<Snapshot> = {}): Snapshot => ({
  pid: 4711,
  accepting: true,
  utilisation: 0.1,
  lag: { p50: 0, p99: 0.002, max: 0.0305 },
  usage: { rss: 50_000_000, vsz: 1_000_000_000, heap: 20_000_000, cpu: 1.5, startedAt: 1_700_000_000 },
  rooms: 2,
  keptBytes: 4096,
  peers: 5,
  webSockets: { open: 4, unsentBytes: 10, messagesIn: 100, messagesOut: 200, bytesIn: 3000, bytesOut: 4000 },
  sockets: [{ name: '127.0.0.1:3031', protocol: 'uwsgi', queue: 3, maxQueue: 511 }],
  counts: zeroCounts(),
  ...change,
});

export type Watched = {
  /** Base URLs of the listeners for browsers and front ends. */
  http: string;
  fronted: string;
  /** The addresses for statistics tools: host:port, a path, host:port for HTTP. */
  stats: { tcp: string; unix: string; http: string };
  logs: Record<string, unknown>[];
  stop(): Promise<void>;
};

export const startWatched = async (): Promise<Watched> => {
  const directory = mkdtempSync(join(tmpdir(), 'genkan-stats-'));
  const unix = join(directory, 'stats.sock');
  const loaded = load(['--http', '127.0.0.1:0', '--http-socket', '127.0.0.1:0', '--drain-timeout', '1'], {});
  if ('faults' in loaded) throw new Error(loaded.faults.join('; '));
  const settings: typeof loaded.settings = {
    ...loaded.settings,
    stats: [
      { kind: 'tcp', port: 0 },
      { kind: 'unix', path: unix },
    ],
    'stats-http': [{ kind: 'tcp', host: '127.0.0.1', port: 0 }],
  };
  const logs: Record<string, unknown>[] = [];
  const logger = createPino(settings, { write: (line: string) => logs.push(JSON.parse(line)) });
  const running = await serve(settings, logger);
  const watching = await serveStats(settings, running.readings, { ready: () => true });
  const [http, fronted] = running.listening.map(({ address }) => `http://${address}`);
  const [tcp, , statsHttp] = watching.listening.map(({ address }) => address);
  return {
    http: http ?? '',
    fronted: fronted ?? '',
    // Without a host it is the loopback.
    stats: { tcp: `127.0.0.1${tcp}`, unix, http: statsHttp ?? '' },
    logs,
    async stop() {
      await watching.stop();
      await running.stop();
      rmSync(directory, { recursive: true, force: true });
    },
  };
};
