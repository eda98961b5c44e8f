/** Rooms in Valkey (or Redis 7 and later), shared by all workers on all machines that use it. */
import { randomBytes } from 'node:crypto';
import { type Refusal, refuse } from '../protocol/errors.ts';
import type { RoomName } from '../protocol/messages.ts';
import { strand } from '../rooms/leave.ts';
import { holdingsOf, type RegistryLimits } from '../rooms/registry.ts';
import type { Peer, Room } from '../rooms/room.ts';
import { CommitQueue } from './commit-queue.ts';
import { otherFormat } from './commit-script.ts';
import { Leases } from './leases.ts';
import { format, lifeOf, readEntry } from './room-codec.ts';
import { keysOf, sinceScript } from './scripts.ts';
import { countLeaves, type Leaves, type Store } from './store.ts';
import { type Reached, Subscriptions, type Tail } from './subscriptions.ts';
import {
  logUnreadable,
  type StoreLog,
  StoreUnavailable,
  ValkeyConnection,
  type ValkeyConnectionOptions,
} from './valkey-connection.ts';

export type ValkeyOptions = ValkeyConnectionOptions & {
  limits: RegistryLimits;
  /** ms without a heartbeat after which a worker counts as dead. */
  lease: number;
  /** Replaces the store's clock (ms since 1970). */
  clock?: () => number;
};

/**
 * Connects, and reconnects as needed. Resolves after the first attempt, even if that failed and will be retried.
 * @throws if the store refuses the credentials
 */
export const openValkey = async (
  options: ValkeyOptions,
  log: StoreLog,
  counts: Leaves,
): Promise<Store & { clock: () => number }> => {
  const parts = assemble(options, log, counts);
  const { worker, clock, connection, subscriptions, leases, commits } = parts;
  await connection.tried;
  if (connection.ready) await refuseIfUnavailable(leases.beat(clock()));
  return {
    worker,
    clock,
    commit: (room, command, insist) => commits.commit(room, command, insist !== undefined),
    async since(room, after) {
      const found = await refuseIfUnavailable(readTail(connection, room, after));
      return 'refused' in found ? found : (found.entries ?? refuse('events-gone'));
    },
    subscribe: (room, listener, lost) => subscriptions.subscribe(room, listener, lost),
    claim: (key, until) => claim(connection, claimKey(key), until - clock()),
    async release(key) {
      await refuseIfUnavailable(connection.send(claimKey(key), 'DEL', claimKey(key)).then(() => ({})));
    },
    async sweep() {
      subscriptions.tick();
      if (connection.ready && connection.full)
        await refuseIfUnavailable(connection.probe(claimKey('probe')).then(() => ({})));
      if (connection.ready) await refuseIfUnavailable(passTime(parts, options, log));
    },
    count() {
      const isOwn = ({ presence }: Peer): boolean => presence.worker === worker;
      const counts = commits.rooms().map(({ peers }) => [...peers.values()].filter(isOwn).length);
      const peers = counts.reduce((sum, count) => sum + count, 0);
      return { rooms: counts.filter((count) => count > 0).length, peers };
    },
    keptBytes: () => commits.keptBytes,
    holdings: () => holdingsOf(commits.rooms()),
    ready: () => connection.ready && !connection.full,
    async close() {
      await refuseIfUnavailable(leases.resign().then(() => ({})));
      connection.close();
    },
  };
};

/** `worker`: the id of this process. */
type Parts = {
  worker: string;
  clock: () => number;
  connection: ValkeyConnection;
  subscriptions: Subscriptions;
  leases: Leases;
  commits: CommitQueue;
};

const assemble = (
  { limits, lease, clock: fixedClock, ...options }: ValkeyOptions,
  log: StoreLog,
  counts: Leaves,
): Parts => {
  const worker = randomBytes(9).toString('base64url');
  const connection = new ValkeyConnection(options, log, () => {
    subscriptions.resume();
    commits.revalidate();
  });
  const clock = fixedClock ?? (() => connection.now());
  const source = {
    get ready() {
      return connection.ready;
    },
    subscribe: connection.subscribe.bind(connection),
    unsubscribe: connection.unsubscribe.bind(connection),
    head: (room: RoomName) => readHead(connection, room),
    tail: (room: RoomName, after: number) => readTail(connection, room, after),
  };
  const subscriptions = new Subscriptions(source, log);
  const leases = new Leases(worker, lease, connection, () => commits.rooms().map(({ name }) => name));
  const commits = new CommitQueue({
    link: connection,
    clock,
    limits,
    keep: (room) => leases.keep(room),
    drop: (room) => leases.drop(room),
    wrote: (event) => countLeaves(counts, event),
    failed: (error) => logUnreadable(log, error),
  });
  return { worker, clock, connection, subscriptions, leases, commits };
};

/** Applies timeouts and, when it is due, sends a heartbeat and takes over the rooms of dead workers. @throws StoreUnavailable */
const passTime = async (parts: Parts, options: ValkeyOptions, log: StoreLog): Promise<object> => {
  const { worker, clock, connection, subscriptions, leases, commits } = parts;
  await commits.sweep((room) => subscriptions.hasListeners(room.name) || !isElsewhere(room, worker));
  if (!leases.due(clock())) return {};
  if (options.clock === undefined) await connection.setClock();
  for (const gone of await leases.beat(clock())) if (gone !== worker) await takeOver(gone, parts, options, log);
  return {};
};

const takeOver = async (gone: string, { leases, commits }: Parts, { limits }: ValkeyOptions, log: StoreLog) => {
  log.info({ gone }, 'a worker is gone: its rooms are taken over');
  await leases.adopt(gone, async (room) => {
    const outcome = await commits
      .commit(room, (state, now) => strand(state, gone, now, limits.rules))
      .catch((error: unknown) => logUnreadable(log, error));
    if (outcome && 'refused' in outcome) throw new StoreUnavailable(outcome.refused);
  });
};

/** Sets a key for `ms`. @returns false if it is already set */
const claim = async (connection: ValkeyConnection, key: string, ms: number): Promise<boolean | Refusal> => {
  const wait = Math.ceil(ms);
  if (wait <= 0) return true;
  const set = connection.send(key, 'SET', key, '', 'NX', 'PX', `${wait}`);
  const claimed = await refuseIfUnavailable(set.then((response) => ({ response })));
  return 'refused' in claimed ? claimed : claimed.response === 'OK';
};

const claimKey = (key: string): string => `genkan:claim:${key}`;

/** Whether another worker is responsible for the room, because a peer is connected there. */
const isElsewhere = ({ peers }: Room, worker: string): boolean =>
  [...peers.values()].some(({ presence }) => presence.at === 'here' && presence.worker !== worker);

/** A single command, not a script, so that later commands are guaranteed to run after it. @throws StoreUnavailable */
const readHead = async (connection: ValkeyConnection, room: RoomName): Promise<Reached> => {
  const [key] = keysOf(room);
  const response = await connection.send(key, 'HMGET', key, 'version', 'seq');
  const [version, seq] = Array.isArray(response) ? response : [];
  return { life: lifeOf(version ?? ''), seq: Number(seq ?? 0) };
};

/** @throws StoreUnavailable; also if the room has another format */
const readTail = async (connection: ValkeyConnection, room: RoomName, after: number): Promise<Tail> => {
  const reply = await connection.run(sinceScript, keysOf(room), [format, String(after)]);
  const [version, seq, texts] = Array.isArray(reply) ? reply : [];
  if (version === 'format') throw otherFormat(room, seq);
  const tail = { version: String(version), seq: Number(seq) };
  if (!Array.isArray(texts)) return tail;
  const first = tail.seq - texts.length + 1;
  return { ...tail, entries: texts.map((text, at) => readEntry(first + at, text)) };
};

const refuseIfUnavailable = async <T extends object>(operation: Promise<T>): Promise<T | Refusal> => {
  try {
    return await operation;
  } catch (error) {
    if (error instanceof StoreUnavailable) return refuse('store-unavailable');
    throw error;
  }
};
