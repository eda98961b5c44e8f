/**
 * `npm run hash`: which host nginx's hash assigns to each room, and which rooms move when hosts are added or removed. Calculated with the
 * model in ring.ts; nothing is run.
 */

import { Ring } from './ring.ts';
import { table } from './table.ts';

/** Like the names that the page generates: random characters, but the same in every run. */
const roomName = (index: number): string => ((BigInt(index + 1) * 0x9e37_79b9_7f4a_7c15n) % (1n << 64n)).toString(36);
const rooms = Array.from({ length: 200_000 }, (_, index) => roomName(index));
const counts = [2, 3, 4, 8, 16, 32, 64, 128, 256, 512, 1000];

const addressOf = (host: number): string => `10.0.${host >> 8}.${host & 255}:3031`;
const addresses = (count: number): string[] => Array.from({ length: count }, (_, host) => addressOf(host));

/** The index of the host, by room. */
const placed = (hosts: string[]): Uint16Array => {
  const ring = new Ring(hosts);
  return Uint16Array.from(rooms, (room) => ring.hostOf(room));
};

const movedShare = (before: Uint16Array, after: Uint16Array): number =>
  before.reduce((moved, host, room) => moved + (host === after[room] ? 0 : 1), 0) / rooms.length;

const loadOf = (hosts: Uint16Array, count: number): { most: number; least: number } => {
  const load = new Array<number>(count).fill(0);
  for (const host of hosts) load[host] = (load[host] ?? 0) + 1;
  const mean = rooms.length / count;
  return { most: Math.max(...load) / mean, least: Math.min(...load) / mean };
};

const percent = (share: number): string => `${(100 * share).toPrecision(3)} %`;

const rowOf = (count: number): string[] => {
  const now = placed(addresses(count));
  const more = placed(addresses(count + 1));
  // The host in the middle is removed; every other one keeps its name.
  const gone = count >> 1;
  const fewer = placed(addresses(count).toSpliced(gone, 1)).map((host) => (host < gone ? host : host + 1));
  const { most, least } = loadOf(now, count);
  return [
    ...[`${count}`, percent(movedShare(now, more)), percent(1 / (count + 1))],
    ...[percent(movedShare(now, fewer)), percent(1 / count), most.toFixed(2), least.toFixed(2)],
  ];
};

/** The table of test/BENCHMARKS.md. */
export const hashTable = (): string =>
  table(
    [
      'hosts',
      'move when one is added',
      'its share',
      'when one is removed',
      'its share',
      'fullest / mean',
      'emptiest / mean',
    ],
    counts.map(rowOf),
  );

if (import.meta.main) process.stdout.write(hashTable());
