/**
 * `npm run capacity`: calculates how many machines a number of peers needs, from the results of `npm run bench:scale` and from assumptions
 * about usage. Nothing is run; test/bench/capacity.test.ts compares test/BENCHMARKS.md with it.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { shown, table } from './table.ts';

/** What is assumed and not measured. */
export type Assumptions = {
  /** Peers in a room, and the minutes that each stays. */
  inRoom: number;
  stay: number;
  /** Signals from each side when two peers connect: an offer or an answer, and eight candidates. */
  signals: number;
  /** kB that each of them takes in the room's log, which an idle room keeps. */
  kept: number;
  /** Texts and state changes that a peer sends to everyone else, a minute. */
  texts: number;
  /** The share of a processor used in a busy hour. The rest is for peaks and for reconnecting peers. */
  busy: number;
  /** Seconds within which all peers of a replaced worker must have reconnected. */
  back: number;
  /** The load of the fullest worker divided by the mean: the maximum that `npm run hash` finds. */
  fullest: number;
  /** WebSockets from one nginx to one worker's TCP port: the number of local ports (ip_local_port_range). */
  ports: number;
  /** MB of a worker without peers; cores and GB of a machine, half of which is left free; GB of a shard. */
  emptyWorker: number;
  cores: number;
  memory: number;
  shardMemory: number;
};
export const usual: Assumptions = {
  inRoom: 3,
  stay: 30,
  signals: 9,
  kept: 1.1,
  texts: 2,
  busy: 0.5,
  back: 20,
  fullest: 1.32,
  ports: 28_232,
  emptyWorker: 105,
  cores: 4,
  memory: 8,
  shardMemory: 4,
};

type By = { app: number; nginx: number; store: number };
/** µs of CPU for an operation, or for a second of an idle peer; kB of memory for a peer. By process. */
export type Coefficients = { signal: By; join: By; resume: By; idle: By; memory: By };
export type Measured = { memory: Coefficients; Valkey: Coefficients };

const figures = z.record(z.string(), z.record(z.string(), z.number().nullable()));
const file = z.object({ costs: z.object({ figures }), idle: z.object({ figures }) });

/** @throws when a figure is missing */
export const readMeasured = (text: string): Measured => {
  const { costs, idle } = file.parse(JSON.parse(text));
  const of = (store: 'memory' | 'Valkey'): Coefficients => {
    const by = (part: z.infer<typeof figures>, what: string): By => {
      const one = (who: string): number => {
        const found = part[store]?.[`${what}, ${who}`];
        if (typeof found !== 'number') throw new Error(`not measured: ${store}, ${what}, ${who}`);
        // A negative figure, after a garbage collection, counts as zero.
        return Math.max(0, found);
      };
      return { app: one('app'), nginx: one('nginx'), store: one('store') };
    };
    return {
      signal: by(costs.figures, 'signal'),
      join: by(costs.figures, 'join and leave'),
      resume: by(costs.figures, 'resume'),
      idle: by(idle.figures, 'µs per peer and s'),
      memory: by(idle.figures, 'kB per peer'),
    };
  };
  return { memory: of('memory'), Valkey: of('Valkey') };
};

/** What a peer does a second: joins, and messages delivered to others. */
export const rates = ({ inRoom, stay, signals, texts }: Assumptions): { joins: number; messages: number } => {
  const joins = 1 / (60 * stay);
  const links = inRoom - 1;
  return { joins, messages: joins * links * 2 * signals + (texts / 60) * links };
};

/** µs of CPU a second for each peer. */
export const load = (assumed: Assumptions, { signal, join: come, idle }: Coefficients): By => {
  const { joins, messages } = rates(assumed);
  const of = (who: keyof By): number => idle[who] + joins * come[who] + messages * signal[who];
  return { app: of('app'), nginx: of('nginx'), store: of('store') };
};

/** How many peers one worker, which uses one processor, can have, and what limits them. */
export const perWorker = (assumed: Assumptions, found: Coefficients): { peers: number; because: string } => {
  const limits: [string, number][] = [
    ['CPU', (assumed.busy * 1e6) / load(assumed, found).app],
    ['reconnecting', (assumed.back * 1e6) / found.resume.app],
    ['ports', assumed.ports],
  ];
  const [because, peers] = limits.reduce((least, one) => (one[1] < least[1] ? one : least));
  return { peers: Math.floor(peers), because };
};

export type Plan = {
  workers: number;
  nginx: number;
  shards: number;
  /** Total in GB. */
  memory: number;
  machines: number;
};

/** Workers, processors for nginx, shards with a replica each, and the machines for all of them. */
export const plan = (peers: number, assumed: Assumptions, found: Coefficients): Plan => {
  const used = load(assumed, found);
  const { peers: most } = perWorker(assumed, found);
  // A single worker has all rooms, and none is the fullest.
  const workers = peers <= most ? 1 : Math.ceil((peers * assumed.fullest) / most);
  const nginx = Math.ceil((peers * used.nginx) / (assumed.busy * 1e6));
  // With a store, rooms and their logs are kept there.
  const logged = assumed.kept * assumed.signals * (assumed.inRoom - 1);
  const isShared = found.memory.store > 0;
  const stored = isShared ? (peers * (found.memory.store + logged)) / 1e6 : 0;
  const inApp = found.memory.app + (isShared ? 0 : logged);
  const shards = Math.ceil(Math.max((peers * used.store) / (assumed.busy * 1e6), stored / assumed.shardMemory));
  const memory = (workers * assumed.emptyWorker) / 1000 + (peers * (inApp + found.memory.nginx)) / 1e6 + 2 * stored;
  const byCores = (workers + nginx + 2 * shards) / assumed.cores;
  return { workers, nginx, shards, memory, machines: Math.ceil(Math.max(byCores, memory / (assumed.memory / 2))) };
};

/** The tables of test/BENCHMARKS.md. */
export const tables = (measured: Measured, assumed = usual): string => {
  const stores = [
    ['memory', measured.memory],
    ['Valkey', measured.Valkey],
  ] as const;
  const { joins, messages } = rates(assumed);
  const perCore = ([name, found]: (typeof stores)[number]): string[] => {
    const used = load(assumed, found);
    const { peers, because } = perWorker(assumed, found);
    const each = (micros: number): string => (micros > 0 ? shown((assumed.busy * 1e6) / micros) : '');
    const { signal } = found;
    return [
      name,
      `${shown(peers)} (${because})`,
      each(used.nginx),
      each(used.store),
      each(signal.app),
      each(signal.nginx),
      each(signal.store),
    ];
  };
  const needed = (peers: number) =>
    stores.map(([name, found]) => {
      const { workers, nginx, shards, memory, machines } = plan(peers, assumed, found);
      const rooms = peers / assumed.inRoom;
      return [
        shown(peers),
        name,
        shown(rooms),
        shown(peers * joins),
        shown(peers * messages),
        `${workers}`,
        `${nginx}`,
        `${shards}`,
        shown(memory),
        `${machines}`,
      ];
    });
  return [
    table(
      [
        'rooms in',
        'peers per worker',
        'per processor of nginx',
        'per shard',
        'messages a second per worker',
        'per processor of nginx',
        'per shard',
      ],
      stores.map(perCore),
    ),
    table(
      [
        'peers',
        'rooms in',
        'rooms',
        'joins a second',
        'messages a second',
        'workers',
        "nginx's processors",
        'shards',
        'GB',
        'machines',
      ],
      [1e4, 1e6, 1e8].flatMap(needed),
    ),
  ].join('\n');
};

export const measuredFile = join(import.meta.dirname, 'measured.json');
if (import.meta.main) process.stdout.write(tables(readMeasured(readFileSync(measuredFile, 'utf8'))));
