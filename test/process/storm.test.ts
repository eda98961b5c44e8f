/** A supervisor whose workers are driven to their limits: no client can make it give up, and no room is lost. */
import { writeFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { load } from '../../app/config/load.ts';
import { WebSocketPeer } from '../../app/conform/peers.ts';
import { listenOptions } from '../../app/process/listen.ts';
import { bindSocket } from '../../app/process/supervisor/bind-socket.ts';
import { defaultRestartPolicy, type RestartPolicy } from '../../app/process/supervisor/restart-policy.ts';
import { Supervisor } from '../../app/process/supervisor/supervisor.ts';
import { type Assignment, WorkerHandle } from '../../app/process/supervisor/worker-handle.ts';
import { countEnd, newSlot } from '../../app/process/supervisor/worker-slot.ts';
import { budgetsLifted, flagsOf } from '../setup/lifted-budgets.ts';
import { cli, type Stage, stage, until } from './program.ts';

let here: Stage;
const undo: (() => unknown)[] = [];
beforeEach(() => {
  here = stage();
});
afterEach(async () => {
  for (const step of undo.splice(0).reverse()) await step();
  await here.clear();
});

/** A worker that the test scripts, and that starts fast: `script` receives orders by `hear` and may `say` and `beat`. */
const scripted = (script: string, name = 'worker.js'): string => {
  const megabytes = 'rss: megabytes * 2 ** 20';
  const code = `const say = (message) => process.send(message);
    const beat = (megabytes) => say({ type: 'beat', ${megabytes}, lag: 0, rooms: 0, peers: 0 });
    const listen = () => say({ type: 'listening', listening: [] });
    let hear = (order) => {};
    process.on('message', (order) => {
      hear(order);
      if (order.type === 'start' && order.heir) say({ type: 'ready' });
      if (order.type === 'drain') process.exit();
    });
    process.on('disconnect', () => process.exit());
    ${script}`;
  writeFileSync(here.path(name), code);
  return here.path(name);
};

const loadedWith = (words: string[]) => {
  const loaded = load(['--http', '127.0.0.1:0', '--drain-timeout', '1', '--log-level', 'silent', ...words], {});
  if ('faults' in loaded) throw new Error(loaded.faults.join('; '));
  return loaded.settings;
};

/** A supervisor of one worker in this process, that checks often. */
const supervise = async (
  words: string[],
  { module = cli, ...pace }: Partial<RestartPolicy> & { module?: string } = {},
) => {
  const settings = loadedWith(words);
  const held = await bindSocket({ kind: 'tcp', host: '127.0.0.1', port: 0 }, listenOptions(settings));
  const command = { module, words: ['worker'], cwd: here.directory };
  const entries: { message: string; fields: object }[] = [];
  const say = (fields: object, message: string) => entries.push({ fields, message });
  const plan = { settings, places: [[{ setting: 'http' as const, address: held.address, held }]] };
  const supervisor = new Supervisor(plan, {
    ...{ command, environment: process.env, log: { info: say, warn: say, error: say } },
    pace: { look: 20, memory: 100, ...pace },
  });
  let gaveUp: string | undefined;
  void supervisor.gaveUp.then((why) => {
    gaveUp = why;
  });
  undo.push(
    () => held.close(),
    () => supervisor.stop(0),
  );
  await supervisor.start();
  const current = () => supervisor.workers[0]?.process;
  const base = `http://${current()?.listens[0]?.address}`;
  const count = (message: string) => entries.filter((one) => one.message.startsWith(message)).length;
  return { supervisor, plan, command, entries, count, current, base, gaveUp: () => gaveUp };
};

const join = async (base: string, room: string): Promise<WebSocketPeer> => {
  const peer = new WebSocketPeer(base, room);
  undo.push(() => peer.dispose());
  await peer.join();
  return peer;
};

describe('a memory limit', () => {
  test('reached by one hostile client in worker after worker does not make the supervisor give up', async () => {
    // Once it listens a client fills it.
    const module = scripted(`hear = ({ type }) => {
      if (type !== 'start') return;
      beat(80);
      listen();
      setInterval(() => beat(500), 10);
    };`);
    const it = await supervise(['--evil-reload-on-rss', '400'], { module, deaths: 2 });
    await until(() => it.count('worker ended') >= 4, 30_000);
    expect(it.gaveUp()).toBeUndefined();
    await until(() => it.current()?.state === 'listening');
    // Freeing memory is tried before any peer is disconnected.
    expect(it.count('worker frees memory')).toBeGreaterThanOrEqual(4);
    expect(
      it.entries.filter(({ message }) => message === 'respawning worker').map(({ fields }) => fields),
    ).toContainEqual({ worker: 1, wait: 0 });
  });

  /** It grows with its clients, and starts with what it takes over. */
  const growing = (shed: string) => `
    let used = 80;
    hear = ({ type, part }) => {
      if (type === 'start' || type === 'parts-end') beat(used);
      if (type === 'part') used += part;
      if (type === 'hand-over') for (const message of [{ type: 'part', part: used - 80 }, { type: 'parts-end' }]) say(message);
      if (type === 'shed') ${shed};
    };
    process.on('message', ({ type, heir }) => {
      if ((type === 'start' && !heir) || type === 'parts-end') {
        listen();
        setInterval(() => beat((used = Math.min(used + 20, 900))), 10);
      }
    });`;

  test('reached in a burst leads to one replacement at most, although the successor takes over the rooms', async () => {
    const it = await supervise(['--reload-on-rss', '400'], { module: scripted(growing('{}')) });
    const first = it.current();
    await until(() => it.current() !== first && it.current()?.beat.rss === 900 * 2 ** 20, 20_000);
    const [second, reached] = [it.current(), performance.now()];
    // Ten checks.
    await until(() => it.current() !== second || performance.now() - reached > 1000);
    expect(it.current()).toBe(second);
    expect(it.count('replacing worker')).toBe(1);
  });

  test('reached by a worker that then frees memory replaces no worker', async () => {
    const it = await supervise(['--reload-on-rss', '400'], { module: scripted(growing('used = 100')) });
    await until(() => it.count('worker frees memory') >= 3, 20_000);
    expect(it.count('replacing worker')).toBe(0);
  });

  test('reached by the rooms of a worker replaces it, and its peers stay in the same room', async () => {
    const kept = { 'log-bytes': 1e9, 'max-kept-bytes': 1e9, 'max-kept-bytes-per-address': 1e9 };
    const it = await supervise(['--reload-on-rss', '20', ...budgetsLifted, ...flagsOf(kept)]);
    const first = it.current();
    const [speaker, listener] = [await join(it.base, 'r'), await join(it.base, 'r')];
    const signal = { type: 'signal', to: listener.id, epoch: 2, data: 'x'.repeat(30_000) };
    for (let n = 1; it.count('replacing worker') === 0; n += 1) {
      await speaker.send(signal);
      await until(() => speaker.closed !== undefined || (speaker.inbox.of('ack').at(-1)?.n ?? 0) > n - 10);
    }
    await until(() => it.current() !== first, 20_000);
    expect(await listener.resume()).toMatchObject({ recovered: true, peers: [{ id: speaker.id }] });
    expect(it.count('replacing worker')).toBe(1);
  }, 120_000);
});

describe('a handover', () => {
  test('of a worker that hangs for too long fails, and the worker keeps its rooms', async () => {
    const it = await supervise([], { handOver: 200 });
    const [old, peer] = [it.current(), await join(it.base, 'r')];
    process.kill(old?.pid ?? 0, 'SIGSTOP');
    await expect(it.supervisor.roll(it.plan)).rejects.toThrow('did not hand over its rooms in time');
    process.kill(old?.pid ?? 0, 'SIGCONT');
    await peer.send({ type: 'chat', text: 'still here' });
    expect((await peer.inbox.take('ack')).n).toBe(1);
    expect([it.current(), peer.closed, peer.inbox.of('bye')]).toEqual([old, undefined, []]);
  }, 120_000);

  test('during which both the worker and its successor end starts another worker', async () => {
    const sound = scripted("hear = ({ type }) => type === 'start' && listen();");
    const it = await supervise([], { module: sound, start: 3000 });
    const old = it.current();
    it.command.module = scripted('', 'hangs.js');
    const rolled = it.supervisor.roll(it.plan);
    await new Promise(setImmediate);
    it.command.module = sound;
    old?.kill();
    await expect(rolled).rejects.toThrow('worker 1');
    await until(() => it.current()?.state === 'listening');
    expect(it.current()).not.toBe(old);
  });

  const worker = async (script: string): Promise<WorkerHandle> => {
    const module = scripted(`hear = async ({ type }) => {
      if (type === 'start') listen();
      if (type === 'hand-over') { ${script} }
    };`);
    const assignment = { worker: 1, of: 1, settings: loadedWith([]), places: [], beat: 1000, accepting: true };
    const made = new WorkerHandle({ module, words: [], cwd: here.directory }, assignment, process.env);
    undo.push(() => made.kill());
    await made.listening;
    return made;
  };

  test('continues while rooms arrive, however long it takes', async () => {
    const slow = await worker(`
      say({ type: 'hands-over' });
      for (const part of [1, 2, 3]) {
        await new Promise((resolve) => setTimeout(resolve, 150));
        say({ type: 'part', part });
      }
      say({ type: 'parts-end' });`);
    expect(await slow.handOver({ handOver: 100, nextRoom: 5000 })).toEqual({ parts: [1, 2, 3], whole: true });
  });

  test('that ends in the middle is reported as incomplete', async () => {
    const dies = await worker("say({ type: 'part', part: 1 }); setTimeout(() => process.exit(), 100);");
    expect(await dies.handOver({ handOver: 5000, nextRoom: 5000 })).toEqual({ parts: [1], whole: false });
    const stops = await worker("say({ type: 'part', part: 1 });");
    expect(await stops.handOver({ handOver: 5000, nextRoom: 100 })).toEqual({ parts: [1], whole: false });
  });
});

describe('the restart policy', () => {
  const end = { lived: 100, ordered: false };
  const counted = (...ends: Parameters<typeof countEnd>[1][]) => {
    const slot = newSlot({} as Assignment);
    return ends.map((one) => countEnd(slot, one, defaultRestartPolicy));
  };
  test('waits longer after each unexpected exit, then gives up', () =>
    expect(counted(end, end, end, end, end)).toEqual([100, 200, 400, 800, 'give up']));
  test('ignores requested exits', () =>
    expect(counted(...Array.from({ length: 9 }, () => ({ ...end, ordered: true })))).toEqual(Array(9).fill(0)));
  test('starts counting again after a long run', () =>
    expect(counted(end, end, { lived: 10_000, ordered: false }, end)).toEqual([100, 200, 0, 100]));
  test('ignores workers that the system could not start, and retries them later', () =>
    expect(counted(...Array.from({ length: 9 }, () => ({ ...end, unstartable: 'EMFILE' })))).toEqual(
      Array(9).fill(defaultRestartPolicy.lastWait),
    ));
});
