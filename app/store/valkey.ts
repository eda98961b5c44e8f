/** Rooms in Valkey (or Redis, from 7 on), shared by every worker on every machine that names the same one. */
import { randomBytes } from 'node:crypto';
import { type Refusal, refuse } from '../protocol/errors.ts';
import type { RoomName } from '../protocol/messages.ts';
import { strand } from '../rooms/leave.ts';
import { holdingsOf, type RegistryLimits } from '../rooms/registry.ts';
import type { Peer, Room } from '../rooms/room.ts';
import { CommitQueue, otherFormat } from './commit-queue.ts';
import { Leases } from './leases.ts';
import { format, lifeOf, readEntry } from './room-codec.ts';
import { keysOf, sinceScript } from './scripts.ts';
import { countLeaves, type Leaves, type Store } from './store.ts';
import { type Reached, Subscriptions, type Tail } from './subscriptions.ts';
import { StoreUnavailable, ValkeyConnection, type ValkeyConnectionOptions } from './valkey-connection.ts';

export type ValkeyOptions = ValkeyConnectionOptions & {
  limits: RegistryLimits;
  /** ms after which a worker that is not heard of is gone. */
  lease: number;
  /** In place of the store's own time (ms since 1970). */
  clock?: () => number;
};
type Log = { info(fields: object, message: string): void; warn(fields: object, message: string): void };

/**
 * It connects by itself, now and whenever it has to; resolves when that went well for the first time, or is to be tried again.
 * @throws when the store does not let this user in
 */
export const openValkey = async (
  { limits, lease, clock: given, ...options }: ValkeyOptions,
  log: Log,
  counts: Leaves,
): Promise<Store & { clock: () => number }> => {
  const worker = randomBytes(9).toString('base64url');
  const link = new ValkeyConnection(options, log, () => {
    hearing.resume();
    commits.doubt();
  });
  const clock = given ?? (() => link.now());
  const tail = (room: RoomName, after: number) => readTail(link, room, after);
  const failed = (error: unknown): void => {
    if (!(error instanceof StoreUnavailable)) log.warn({ err: error }, 'a room could not be read');
  };
  const source = {
    get ready() {
      return link.ready;
    },
    hear: link.hear.bind(link),
    leave: link.leave.bind(link),
    head: (room: RoomName) => readHead(link, room),
    tail,
  };
  const hearing = new Subscriptions(source, failed);
  const leases = new Leases(worker, lease, link, () => commits.rooms().map(({ name }) => name));
  const commits = new CommitQueue({
    link,
    clock,
    limits,
    keep: (room) => leases.keep(room),
    drop: (room) => leases.drop(room),
    wrote: (event) => countLeaves(counts, event),
  });
  const adopt = async (gone: string): Promise<void> => {
    const { rules } = limits;
    log.info({ gone }, 'a worker is gone: its rooms are taken over');
    await leases.adopt(gone, async (room) => {
      const stranded = await commits.commit(room, (place, now) => strand(place, gone, now, rules)).catch(failed);
      if (stranded && 'refused' in stranded) throw new StoreUnavailable(stranded.refused);
    });
  };
  const passTime = async (): Promise<object> => {
    await commits.sweep(isOurs);
    if (!leases.due(clock())) return {};
    if (given === undefined) await link.setClock();
    for (const gone of await leases.beat(clock())) if (gone !== worker) await adopt(gone);
    return {};
  };
  const isOwn = ({ presence }: Peer): boolean => presence.worker === worker;
  const isOurs = (room: Room): boolean => hearing.isHeard(room.name) || !isElsewhere(room, worker);
  await link.tried;
  if (link.ready) await unlessAway(leases.beat(clock()));
  return {
    worker,
    clock,
    commit: (room, command, insist) => commits.commit(room, command, insist !== undefined),
    async since(room, after) {
      const found = await unlessAway(tail(room, after));
      return 'refused' in found ? found : (found.entries ?? 'gone');
    },
    subscribe: (room, listener, lost) => hearing.subscribe(room, listener, lost),
    async claim(key, until) {
      const ms = Math.ceil(until - clock());
      if (ms <= 0) return true;
      const set = async () => ({
        answer: await link.send(claimKey(key), 'SET', claimKey(key), '', 'NX', 'PX', `${ms}`),
      });
      const claimed = await unlessAway(set());
      return 'refused' in claimed ? claimed : claimed.answer === 'OK';
    },
    async release(key) {
      await unlessAway(link.send(claimKey(key), 'DEL', claimKey(key)).then(() => ({})));
    },
    async sweep() {
      hearing.tick();
      if (link.ready && link.full) await unlessAway(link.probe(claimKey('probe')).then(() => ({})));
      if (link.ready) await unlessAway(passTime());
    },
    count() {
      const own = commits.rooms().map(({ peers }) => [...peers.values()].filter(isOwn).length);
      const peers = own.reduce((sum, count) => sum + count, 0);
      return { rooms: own.filter((count) => count > 0).length, peers };
    },
    keptBytes: () => commits.keptBytes,
    holdings: () => holdingsOf(commits.rooms()),
    ready: () => link.ready && !link.full,
    async close() {
      await unlessAway(leases.resign().then(() => ({})));
      link.close();
    },
  };
};

const claimKey = (key: string): string => `genkan:claim:${key}`;

/** Whether another worker looks after it, because a peer is connected there. */
const isElsewhere = ({ peers }: Room, worker: string): boolean =>
  [...peers.values()].some(({ presence }) => presence.at === 'here' && presence.worker !== worker);

/** One command, and no script: whatever is asked after it is carried out after it. @throws Away */
const readHead = async (link: ValkeyConnection, room: RoomName): Promise<Reached> => {
  const [key] = keysOf(room);
  const answer = await link.send(key, 'HMGET', key, 'version', 'seq');
  const [version, seq] = Array.isArray(answer) ? answer : [];
  return { life: lifeOf(version ?? ''), seq: Number(seq ?? 0) };
};

/** @throws Away, and when the room is of another format */
const readTail = async (link: ValkeyConnection, room: RoomName, after: number): Promise<Tail> => {
  const reply = await link.run(sinceScript, keysOf(room), [format, String(after)]);
  const [version, seq, texts] = Array.isArray(reply) ? reply : [];
  if (version === 'format') throw otherFormat(room, seq);
  const tail = { version: String(version), seq: Number(seq) };
  if (!Array.isArray(texts)) return tail;
  const first = tail.seq - texts.length + 1;
  return { ...tail, entries: texts.map((text, at) => readEntry(first + at, text)) };
};

const unlessAway = async <T extends object>(asked: Promise<T>): Promise<T | Refusal> => {
  try {
    return await asked;
  } catch (error) {
    if (error instanceof StoreUnavailable) return refuse('store-unavailable');
    throw error;
  }
};
