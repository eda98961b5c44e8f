/** A store that is unavailable, returns, or returns without its data; workers that die; data in another format. */

import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join as joinPath } from 'node:path';
import { getCACertificates, setDefaultCACertificates } from 'node:tls';
import { afterEach, beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest';
import { refuse } from '../../app/protocol/errors.ts';
import type { RoomLogEntry } from '../../app/rooms/event-log.ts';
import { join } from '../../app/rooms/join.ts';
import { leave, lose } from '../../app/rooms/leave.ts';
import { zeroCounts } from '../../app/stats/counters.ts';
import type { Store } from '../../app/store/store.ts';
import { openValkey, type ValkeyOptions } from '../../app/store/valkey.ts';
import { entrance, rules } from '../rooms/rules.ts';
import { freePort } from '../setup/free-port.ts';
import { without } from '../setup/without.ts';
import { chat, done, enter, limits, look, newRoom, say } from './contract.ts';
import { type Server, startServer } from './server.ts';

const open = (server: Server, more: Partial<ValkeyOptions> = {}): Promise<Store> =>
  openValkey(
    { url: server.url, cluster: false, timeout: 500, lease: 15_000, limits, ...more },
    { info: () => {}, warn: () => {} },
    zeroCounts(),
  );
const until = (condition: () => unknown) => vi.waitUntil(condition, { timeout: 20_000, interval: 20 });
/** Sweeps like a server, until the returned function is called. */
const ticking = (store: Store): (() => void) => {
  const timer = setInterval(() => store.sweep().catch(() => {}), 100);
  return () => clearInterval(timer);
};

describe.skipIf(without('redis-server'))('a store over Valkey', () => {
  let server: Server;
  const stores: Store[] = [];
  const opened = async (more?: Partial<ValkeyOptions>): Promise<Store> => {
    const store = await open(server, more);
    stores.push(store);
    return store;
  };
  const serving = async (flags?: string[]) => {
    server = await startServer(flags);
    return opened();
  };
  beforeEach(() => {
    stores.length = 0;
  });
  afterEach(async () => {
    for (const store of stores) await store.close();
    await server.stop();
  });

  test('keeps acknowledged messages over a restart with persistence, and listeners get the events of the gap', async () => {
    const flags = ['--appendonly', 'yes', '--appendfsync', 'always'];
    const one = await serving(flags);
    const other = await opened();
    // A read while the server still loads its data fails, and is repeated.
    onTestFinished(ticking(other));
    const room = newRoom();
    await done(one.commit(room, enter('a')));
    const received: RoomLogEntry[] = [];
    const lost = vi.fn();
    other.subscribe(room, (entry) => received.push(entry), lost);
    await look(other, room);
    let accepted = 0;
    let restarted: Promise<void> | undefined;
    while (accepted < 200) {
      if (accepted === 60) restarted ??= server.kill().then(() => server.start());
      const outcome = await one.commit(room, chat('a', accepted + 1));
      if ('refused' in outcome) {
        expect(outcome.refused).toBe('store-unavailable');
        await new Promise((resolve) => setTimeout(resolve, 20));
      } else accepted += 1;
    }
    await restarted;
    await until(() => received.length >= 200);
    expect(received.map(({ seq }) => seq)).toEqual(Array.from({ length: 200 }, (_, i) => i + 2));
    expect(received.map(({ event }) => 'text' in event && event.text)).toEqual(
      Array.from({ length: 200 }, (_, i) => `a ${i + 1}`),
    );
    expect(lost).not.toHaveBeenCalled();
  });

  test('reports that its data was lost, and continues with new data', async () => {
    const one = await serving();
    const room = newRoom();
    await done(one.commit(room, enter('a')));
    const received: RoomLogEntry[] = [];
    const lost = vi.fn();
    one.subscribe(room, (entry) => received.push(entry), lost);
    await done(one.commit(room, chat('a', 1)));
    await until(() => received.length === 1);
    await server.kill();
    await server.start();
    await until(() => lost.mock.calls.length === 1);
    expect(await one.since(room, 0)).toEqual(refuse('events-gone'));
    expect(await done(one.commit(room, enter('b')))).toMatchObject({ seq: 1 });
    await until(() => received.length === 2);
    expect(received.at(-1)).toMatchObject({ seq: 1, event: { type: 'peer-joined' } });
    expect(lost).toHaveBeenCalledTimes(1);
  });

  test.each([
    ['has become a replica', ['REPLICAOF', '127.0.0.1', '1'], ['REPLICAOF', 'NO', 'ONE']],
    ['is full', ['CONFIG', 'SET', 'maxmemory', '1'], ['CONFIG', 'SET', 'maxmemory', '0']],
  ])('publishes nothing that it did not keep, when it %s', async (_, refusing, taking) => {
    const one = await serving();
    const room = newRoom();
    await done(one.commit(room, enter('a')));
    const received: RoomLogEntry[] = [];
    one.subscribe(room, (entry) => received.push(entry));
    await look(one, room);
    await server.ask(refusing);
    expect(await one.commit(room, chat('a', 1))).toMatchObject({ refused: 'store-unavailable' });
    await server.ask(taking);
    // Another sender is the first to be kept, and gets the number.
    await until(() => {
      void one.sweep();
      return one.ready();
    });
    await done(one.commit(room, enter('b')));
    await done(one.commit(room, chat('a', 1)));
    await until(() => received.length >= 2);
    expect(received.map(({ seq, event }) => [seq, event.type])).toEqual([
      [2, 'peer-joined'],
      [3, 'chat'],
    ]);
  });

  test('is not ready while it is full, lets peers leave, and becomes ready again', async () => {
    const one = await serving();
    const room = newRoom();
    await done(one.commit(room, enter('a')));
    await done(one.commit(room, enter('b')));
    await server.ask(['CONFIG', 'SET', 'maxmemory', '1']);
    expect(await one.commit(room, chat('a', 1))).toMatchObject({ refused: 'store-unavailable' });
    expect(one.ready()).toBe(false);
    // A peer that leaves frees memory.
    await done(one.commit(room, (place, now) => leave(place, 'b', 'left', now, rules), 'insist'));
    await server.ask(['CONFIG', 'SET', 'maxmemory', '0']);
    await until(() => {
      void one.sweep();
      return one.ready();
    });
    await done(one.commit(room, chat('a', 1)));
  });

  test('refuses commands while it is unavailable, is not ready, and runs pending cleanup later', async () => {
    const one = await serving(['--appendonly', 'yes', '--appendfsync', 'always']);
    const room = newRoom();
    for (const id of ['a', 'b']) await done(one.commit(room, enter(id, one)));
    await server.kill();
    await until(() => !one.ready());
    expect(await one.commit(room, chat('a', 1))).toMatchObject({ refused: 'store-unavailable' });
    expect(await one.since(room, 0)).toMatchObject({ refused: 'store-unavailable' });
    expect(await one.claim('key', Date.now() + 9999)).toMatchObject({ refused: 'store-unavailable' });
    const insisted = one.commit(room, (place, now) => lose(place, 'b', now, rules, one.worker), 'insist');
    await server.start();
    expect(await done(insisted)).toMatchObject({ seq: 3 });
    expect(one.ready()).toBe(true);
    expect(await done(one.commit(room, chat('a', 1)))).toMatchObject({ result: { accepted: 1 } });
  });

  test('counts as unavailable after it hangs for a while, and runs pending commands once', async () => {
    const one = await serving();
    const stop = ticking(one);
    const room = newRoom();
    await done(one.commit(room, enter('a')));
    server.pause();
    const refused = await one.commit(room, chat('a', 1));
    expect(refused).toMatchObject({ refused: 'store-unavailable' });
    expect(one.ready()).toBe(false);
    server.resume();
    await until(() => one.ready());
    expect(await done(one.commit(room, chat('a', 1)))).toMatchObject({ result: { accepted: 1 } });
    const entries = await one.since(room, 1);
    expect(Array.isArray(entries) && entries.map(({ event }) => 'text' in event && event.text)).toEqual(['a 1']);
    stop();
  });

  test('may be unavailable at the start, and is used when it is there', async () => {
    await serving();
    await server.kill();
    const late = await opened();
    expect(late.ready()).toBe(false);
    expect(await late.commit(newRoom(), enter('a'))).toMatchObject({ refused: 'store-unavailable' });
    const received: RoomLogEntry[] = [];
    const room = newRoom();
    late.subscribe(room, (entry) => received.push(entry));
    await server.start();
    await until(() => late.ready());
    await done(late.commit(room, enter('a')));
    await until(() => received.length === 1);
  });

  test('subscribes again at once to a room that was unsubscribed', async () => {
    const one = await serving();
    const room = newRoom();
    await done(one.commit(room, enter('a', one)));
    const stop = one.subscribe(room, () => {});
    await look(one, room);
    stop();
    const later = vi.spyOn(performance, 'now').mockReturnValue(performance.now() + 60_000);
    const swept = one.sweep();
    later.mockRestore();
    const received: RoomLogEntry[] = [];
    one.subscribe(room, (entry) => received.push(entry));
    await swept;
    await done(one.commit(room, chat('a', 1)));
    await done(one.commit(room, chat('a', 2)));
    await until(() => received.length === 2);
    expect(String(await server.ask(['PUBSUB', 'SHARDCHANNELS']))).toBe(`genkan:{${room}}`);
  });

  test('loads scripts again that the server forgot', async () => {
    const one = await serving();
    const room = newRoom();
    await done(one.commit(room, enter('a')));
    await server.ask(['SCRIPT', 'FLUSH']);
    expect(await done(one.commit(room, chat('a', 1)))).toMatchObject({ seq: 2 });
  });

  test('marks the peers of a dead worker as away after its lease, and they leave after grace', async () => {
    await serving();
    const dead = await open(server, { lease: 1200 });
    const room = newRoom();
    await dead.sweep();
    await done(dead.commit(room, enter('a', dead)));
    await done(dead.commit(room, (place) => join(place, entrance('b', { worker: 'another' }), 0, rules)));
    // Its process has died without a message.
    dead.close = async () => {};
    const successor = await opened({ lease: 1200 });
    const stop = ticking(successor);
    await expect.poll(async () => [...(await look(successor, room)).peers.keys()], { timeout: 15_000 }).toEqual(['b']);
    const events = await successor.since(room, 2);
    expect(Array.isArray(events) && events.map(({ event }) => event)).toMatchObject([
      { type: 'peer-away', peer: 'a' },
      { type: 'peer-left', peer: 'a', reason: 'timeout' },
      { type: 'peer-updated', peer: 'b', role: 'host' },
    ]);
    stop();
  });

  test('refuses data of another version by name, and does not change it', async () => {
    const one = await serving();
    const room = newRoom();
    await done(one.commit(room, enter('a')));
    await server.ask(['HSET', `genkan:{${room}}`, 'format', '2']);
    const other = await opened();
    const wrong = `the store has room "${room}" in format 2; this version supports only format 1`;
    await expect(one.commit(room, chat('a', 1))).rejects.toThrow(wrong);
    await expect(other.commit(room, enter('b'))).rejects.toThrow(wrong);
    await expect(other.since(room, 0)).rejects.toThrow(wrong);
    expect(await server.ask(['HGET', `genkan:{${room}}`, 'seq'])).toBe('1');
    expect(await done(one.commit(newRoom(), enter('a')))).toMatchObject({ seq: 1 });
  });

  test('delivers the events of a room again after its log could not be read', async () => {
    const one = await serving();
    const warned: string[] = [];
    const log = { info: () => {}, warn: (_fields: object, message: string) => warned.push(message) };
    const other = await openValkey(
      { url: server.url, cluster: false, timeout: 500, lease: 15_000, limits },
      log,
      zeroCounts(),
    );
    stores.push(other);
    const room = newRoom();
    const received: number[] = [];
    other.subscribe(room, ({ seq }) => received.push(seq));
    await done(one.commit(room, enter('a')));
    await until(() => received.length === 1);
    const key = `genkan:{${room}}`;
    await server.ask(['HSET', key, 'format', '2']);
    // A gap, which has to be read from the log.
    const life = String(await server.ask(['HGET', key, 'version'])).split('.')[0];
    await server.ask(['SPUBLISH', key, `${life}\n9\n`]);
    await until(() => warned.includes('a room could not be read'));
    await server.ask(['HSET', key, 'format', '1']);
    const stop = ticking(other);
    await done(one.commit(room, chat('a', 1)));
    await until(() => received.length === 2);
    stop();
  });

  test('expires every key, and keeps all keys of a room in one slot', async () => {
    const one = await serving();
    const room = newRoom();
    await one.sweep();
    await done(one.commit(room, enter('a', one)));
    await done(one.commit(room, chat('a', 1)));
    await one.claim('key', Date.now() + 9999);
    await one.sweep();
    const keys = [...((await server.ask(['KEYS', '*'])) as string[])].sort();
    expect(keys).toEqual(
      [
        `genkan:{${room}}`,
        `genkan:{${room}}:log`,
        `genkan:{${room}}:said`,
        'genkan:claim:key',
        `genkan:rooms:${one.worker}`,
        'genkan:workers',
      ].sort(),
    );
    for (const key of keys) expect(await server.ask(['PTTL', key]), key).toBeGreaterThan(0);
    await done(one.commit(room, () => ({ events: [], result: undefined })));
    await done(
      one.commit(room, (place) => {
        place.peers.clear();
        return { events: [], result: undefined };
      }),
    );
    expect(await server.ask(['KEYS', 'genkan:{*'])).toEqual([]);
  });

  test('relays with one script, which writes one field', async () => {
    const one = await serving();
    const room = newRoom();
    for (const id of ['a', 'b']) await done(one.commit(room, enter(id, one)));
    await server.ask(['CONFIG', 'RESETSTAT']);
    for (let n = 1; n <= 10; n += 1)
      await done(one.commit(room, say('a', { type: 'signal', n, to: 'b', epoch: 2, data: '1' })));
    const stats = String(await server.ask(['INFO', 'commandstats']));
    const calls = Object.fromEntries(
      [...stats.matchAll(/cmdstat_(\w+):calls=(\d+)/g)].map(([, name, n]) => [name, Number(n)]),
    );
    expect(calls).toMatchObject({ evalsha: 10, hset: 10, rpush: 10, spublish: 10 });
    expect(calls.hgetall).toBeUndefined();
    expect(calls.pexpire).toBeUndefined();
  });

  test('commits a burst of one event-loop turn at once', async () => {
    const one = await serving();
    const room = newRoom();
    for (const id of ['a', 'b']) await done(one.commit(room, enter(id, one)));
    await server.ask(['CONFIG', 'RESETSTAT']);
    const burst = Array.from({ length: 16 }, (_, i) =>
      done(one.commit(room, say('a', { type: 'signal', n: i + 1, to: 'b', epoch: 2, data: '1' }))),
    );
    expect((await Promise.all(burst)).map(({ seq }) => seq)).toEqual(Array.from({ length: 16 }, (_, i) => i + 3));
    expect(String(await server.ask(['INFO', 'commandstats']))).toContain('cmdstat_evalsha:calls=1,');
  });

  test('accepts user and password, and reports at the start if they are wrong', async () => {
    server = await startServer('--user genkan on >secret ~genkan:* &genkan:* +@all --user default off'.split(' '));
    const url = server.url.replace('//', '//genkan@');
    await expect(open(server, { url, password: 'wrong' })).rejects.toThrow('WRONGPASS');
    const store = await opened({ url, password: 'secret' });
    expect(await done(store.commit(newRoom(), enter('a')))).toMatchObject({ seq: 1 });
  });

  test('connects by TLS, and refuses a server with an untrusted certificate', async () => {
    const directory = mkdtempSync(joinPath(tmpdir(), 'genkan-tls-'));
    const [key, certificate] = [joinPath(directory, 'key.pem'), joinPath(directory, 'cert.pem')];
    const made = `req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=localhost -addext subjectAltName=DNS:localhost,IP:127.0.0.1 -keyout ${key} -out ${certificate}`;
    expect(spawnSync('openssl', made.split(' ')).status).toBe(0);
    const port = await freePort();
    server = await startServer(
      `--tls-port ${port} --tls-cert-file ${certificate} --tls-key-file ${key} --tls-auth-clients no`.split(' '),
    );
    const url = `valkeys://127.0.0.1:${port}`;
    expect((await opened({ url })).ready()).toBe(false);
    const trusted = getCACertificates('default');
    onTestFinished(() => setDefaultCACertificates(trusted));
    setDefaultCACertificates([readFileSync(certificate, 'utf8')]);
    const store = await opened({ url });
    expect(await done(store.commit(newRoom(), enter('a')))).toMatchObject({ seq: 1 });
    rmSync(directory, { recursive: true });
  });
});
