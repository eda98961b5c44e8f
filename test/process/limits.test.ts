/** Limits at which a worker is replaced: the rule, and its effect. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { checkWorker } from '../../app/process/supervisor/watchdog.ts';
import { isAlive, type Stage, stage } from './program.ts';

describe('the watchdog', () => {
  const none = { 'max-worker-lifetime': 0, 'reload-on-rss': 0, 'evil-reload-on-rss': 0, 'loop-harakiri': 0 };
  const vital = { since: 0, heard: 100_000, rss: 300 * 2 ** 20, baseline: 0 };
  const verdict = (limits: Partial<typeof none>, more: Partial<typeof vital> = {}, spread = 0) =>
    checkWorker({ ...none, ...limits }, { ...vital, ...more }, 100_000, spread);
  test('does nothing without limits', () => expect(verdict({}, { heard: 0, rss: 1e12 })).toBeUndefined());
  test.each([
    [{ 'loop-harakiri': 5 }, { heard: 95_000 }, { do: 'kill', limit: 'loop-harakiri' }],
    [{ 'loop-harakiri': 5 }, { heard: 95_001 }, undefined],
    [{ 'reload-on-rss': 300 }, {}, { do: 'replace', limit: 'reload-on-rss' }],
    [{ 'reload-on-rss': 301 }, {}, undefined],
    [{ 'reload-on-rss': 200, 'evil-reload-on-rss': 300 }, {}, { do: 'end', limit: 'evil-reload-on-rss' }],
    // What a successor would use as well is no reason to replace.
    [{ 'reload-on-rss': 200 }, { baseline: 200 * 2 ** 20 }, { do: 'replace', limit: 'reload-on-rss' }],
    [{ 'reload-on-rss': 200 }, { baseline: 201 * 2 ** 20 }, undefined],
    [{ 'evil-reload-on-rss': 200 }, { baseline: 201 * 2 ** 20 }, undefined],
    [{ 'max-worker-lifetime': 100 }, {}, { do: 'replace', limit: 'max-worker-lifetime' }],
    [{ 'max-worker-lifetime': 101 }, {}, undefined],
    // A worker that hangs cannot drain, whatever else is due.
    [{ 'loop-harakiri': 5, 'reload-on-rss': 1, 'evil-reload-on-rss': 2 }, { heard: 0 }, { do: 'kill' }],
  ])('for %j with %j decides %j', (limits, more, expected) => {
    if (expected) expect(verdict(limits, more)).toMatchObject(expected);
    else expect(verdict(limits, more)).toBeUndefined();
  });
  test('replaces workers that started together at different times', () => {
    expect(verdict({ 'max-worker-lifetime': 100 }, {}, 0.5)).toBeUndefined();
    expect(verdict({ 'max-worker-lifetime': 95 }, {}, 0.5)).toBeDefined();
  });
});

describe('a worker', () => {
  let here: Stage;
  beforeEach(() => {
    here = stage();
  });
  afterEach(() => here.clear());
  const start = async (...limits: string[]) => {
    const program = here.start(['--http', '127.0.0.1:0', ...limits]);
    const { address, pid = 0 } = await program.logged('listening');
    return { program, pid, url: `http://${address}` };
  };

  test('that hangs is killed and respawned, and clients that connect meanwhile are served afterwards', async () => {
    const { program, pid, url } = await start('--loop-harakiri', '1');
    process.kill(pid, 'SIGSTOP');
    expect((await fetch(`${url}/healthz`)).status).toBe(200);
    expect(isAlive(pid)).toBe(false);
    const line = program.lines.find(({ limit }) => limit === 'loop-harakiri');
    expect(line).toMatchObject({
      worker: 1,
      pid,
      state: 'T',
      msg: expect.stringContaining('event loop has been blocked'),
    });
  });

  test('past its lifetime is replaced, after its successor started', async () => {
    const { program, pid, url } = await start('--max-worker-lifetime', '2');
    const successor = await program.logged('listening', 2);
    await program.logged('worker ended');
    expect(isAlive(pid)).toBe(false);
    expect(program.lines.find(({ limit }) => limit === 'max-worker-lifetime')).toMatchObject({ pid });
    expect(program.lines.findIndex(({ msg }) => msg === 'worker ended')).toBeGreaterThan(
      program.lines.indexOf(successor),
    );
    expect((await fetch(`${url}/healthz`)).status).toBe(200);
  });
});
