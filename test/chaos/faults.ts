/** The faults: how each is set up, starts, how long it lasts and how it ends. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { until } from '../process/program.ts';
import { startServer } from '../store/server.ts';
import { Crowd } from './crowd.ts';
import type { Options, Place, StoreKind } from './place.ts';

/** `atEnd`: undone when the fault ends; `afterAll`: undone at the end of the trial. */
export type Scene = {
  place: Place;
  crowd: Crowd;
  atEnd(undo: () => unknown): void;
  afterAll(undo: () => unknown): void;
};
export type Fault = {
  stores: readonly StoreKind[];
  /** Set if messages may be lost or duplicated; the text says why. */
  honest?: { [Store in StoreKind]?: string };
  set?: (afterAll: Scene['afterAll']) => Partial<Options>;
  /** Seconds from start to end. */
  lasts: number;
  begin(scene: Scene): unknown;
  end?(scene: Scene): unknown;
};

const all = ['memory', 'embedded', 'valkey'] as const;
const valkey = ['valkey'] as const;

export const faults: Record<string, Fault> = {
  nothing: { stores: all, lasts: 5, begin: () => {} },
  'worker killed': {
    stores: all,
    honest: { memory: 'the rooms of a worker are lost with it' },
    lasts: 5,
    begin: ({ place }) => process.kill(place.worker(0), 'SIGKILL'),
  },
  'app killed, supervisor and worker': {
    stores: ['memory', 'embedded'],
    honest: { memory: 'the rooms are lost with the process' },
    lasts: 1,
    begin: ({ place }) => place.killHost(0),
    end: ({ place }) => place.startHost(0),
  },
  'worker stopped for 20 s': {
    stores: all,
    lasts: 20,
    begin({ place, atEnd }) {
      const pid = place.worker(0);
      process.kill(pid, 'SIGSTOP');
      atEnd(() => process.kill(pid, 'SIGCONT'));
    },
  },
  'rolling reload, twice': { stores: all, lasts: 0, begin: ({ place }) => roll(place, 2) },
  'rolling reload, five times': { stores: all, lasts: 0, begin: ({ place }) => roll(place, 5) },
  'nginx reloaded five times': {
    stores: all,
    lasts: 0,
    async begin({ place: { nginx } }) {
      for (let nth = 1; nth <= 5; nth += 1) {
        await nginx.reload();
        await sleep(1000);
      }
    },
  },
  'nginx killed': {
    stores: all,
    lasts: 1,
    begin: ({ place }) => place.killNginx(),
    end: ({ place }) => place.startNginx(),
  },
  'store restarted, with persistence': {
    stores: valkey,
    lasts: 2,
    begin: ({ place }) => place.store?.kill(),
    end: ({ place }) => place.store?.start(),
  },
  'store restarted, without persistence': {
    stores: valkey,
    honest: { valkey: 'the rooms are lost with the store' },
    set: () => ({ flags: [] }),
    lasts: 2,
    begin: ({ place }) => place.store?.kill(),
    end: ({ place }) => place.store?.start(),
  },
  'store paused for 10 s': {
    stores: valkey,
    lasts: 10,
    begin: ({ place }) => place.store?.pause(),
    end: ({ place }) => place.store?.resume(),
  },
  'store replaced by its replica': {
    stores: valkey,
    lasts: 2,
    async begin({ place: { store, cable }, afterAll }) {
      const replica = await startServer(['--replicaof', `127.0.0.1 ${store?.port}`]);
      afterAll(() => replica.stop());
      const isLinked = async () => String(await replica.ask(['INFO', 'replication'])).includes('master_link_status:up');
      while (!(await isLinked())) await sleep(100);
      // https://valkey.io/commands/failover/: the replica first receives what it lacks.
      await store?.ask(['FAILOVER', 'TO', '127.0.0.1', `${replica.port}`]);
      while (!String(await replica.ask(['ROLE'])).startsWith('master')) await sleep(20);
      cable?.lead({ host: '127.0.0.1', port: replica.port });
    },
  },
  'app cut off from the store for 20 s': {
    stores: valkey,
    lasts: 20,
    begin: ({ place }) => place.cable?.freeze(),
    end: ({ place }) => place.cable?.thaw(),
  },
  'client network cut for 10 s': {
    stores: all,
    lasts: 10,
    begin: ({ place }) => place.network.freeze(),
    end: ({ place }) => place.network.thaw(),
  },
  'client network cut for 90 s': {
    stores: all,
    lasts: 90,
    begin({ place, crowd }) {
      for (const { name, isApart } of crowd.members) if (isApart) crowd.judge.excuse(name, performance.now());
      place.network.freeze();
    },
    end: ({ place }) => place.network.thaw(),
  },
  'latency of 200 ms, 2 % loss': {
    stores: all,
    lasts: 20,
    begin({ place: { network }, atEnd }) {
      network.delay(200);
      for (const side of ['--dport', '--sport']) {
        const rule = ['INPUT', '-i', 'lo', '-p', 'tcp', side, `${network.port}`];
        const chance = ['-m', 'statistic', '--mode', 'random', '--probability', '0.02', '-j', 'DROP'];
        execFileSync('iptables', ['-A', ...rule, ...chance]);
        atEnd(() => execFileSync('iptables', ['-D', ...rule, ...chance]));
      }
      atEnd(() => network.delay(0));
    },
  },
  'clock of one host 5 min behind': {
    stores: all,
    set: () => ({ host: { number: 2, env: { LD_PRELOAD: faketime, FAKETIME: '-5m' } } }),
    lasts: 10,
    // With a store the other host takes over its peers; without one no clock is compared with another.
    begin: ({ place }) => place.store && process.kill(place.worker(0), 'SIGTERM'),
  },
  '5 000 clients come back at once': {
    stores: all,
    lasts: 2,
    async begin({ place, atEnd }) {
      const many = new Crowd();
      atEnd(() => many.leave());
      await many.enter({ url: place.where.url }, { rooms: 1000, peers: 5 }, 'many');
      await place.killNginx();
    },
    end: ({ place }) => place.startNginx(),
  },
  'slow readers': {
    stores: all,
    lasts: 20,
    begin({ crowd, atEnd }) {
      const slow = crowd.members.filter((_, nth) => nth % 30 === 0);
      for (const { socket, room, name } of slow) {
        socket?.pause();
        atEnd(() => socket?.resume());
        // More than max-unsent-bytes.
        const talker = crowd.members.find((other) => other.room === room && other.name !== name);
        for (let n = 0; n < 100; n += 1) talker?.say({ to: name, filling: 'x'.repeat(30_000) });
      }
    },
  },
  'limit of memory reached': {
    stores: all,
    set: () => ({ host: { number: 1, words: ['--reload-on-rss', '60'] } }),
    lasts: 20,
    begin: () => {},
  },
  'disk full for logs': {
    stores: all,
    set(afterAll) {
      const directory = mkdtempSync(join(tmpdir(), 'genkan-full-'));
      mkdirSync(directory, { recursive: true });
      execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', directory]);
      afterAll(() => {
        execFileSync('umount', ['-l', directory]);
        rmSync(directory, { recursive: true });
      });
      return { words: ['--logto', join(directory, 'log'), '--log-level', 'debug'] };
    },
    lasts: 5,
    begin: ({ place }) => place.nginx.reload(),
  },
};

const roll = async ({ hosts }: Place, times: number): Promise<void> => {
  for (let nth = 1; nth <= times; nth += 1)
    for (const host of hosts) {
      host.child.kill('SIGHUP');
      await until(() => host.lines.filter(({ msg }) => msg === 'reloaded').length >= nth, 120_000);
    }
};

const faketime = '/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1';
