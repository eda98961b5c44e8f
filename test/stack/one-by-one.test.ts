/**
 * One container of the stack at a time is replaced, recreated, or fails: the others keep running, and health checks show which one it is.
 */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { without } from '../setup/without.ts';
import { type Stack, startStack } from './compose.ts';

const run = promisify(execFile);
const docker = async (...words: string[]) => (await run('docker', words)).stdout.trim();

describe.skipIf(without('docker'))('one container at a time', { tags: ['slow'], timeout: 120_000 }, () => {
  let stack: Stack;
  beforeAll(async () => {
    stack = await startStack();
  });
  afterAll(() => stack?.down());

  const idOf = async (service: string) => (await stack.compose('ps', '-aq', service)).trim();
  const inspect = async (service: string, format: string) => docker('inspect', '-f', format, await idOf(service));
  /** Values that change when a container is restarted. */
  const lives = async (...services: string[]) =>
    Promise.all(services.map((service) => inspect(service, '{{.Id}} {{.State.StartedAt}}')));
  const address = () => inspect('app', '{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}');
  const isServed = async () => {
    const page = await fetch(`${stack.url}/rooms/x`);
    expect(page.status).toBe(200);
    const script = /src="\.\/(js\/[\w-]+\.js)"/.exec(await page.text())?.[1];
    expect((await fetch(`${stack.url}/${script}`)).status).toBe(200);
    const joined = await fetch(`${stack.url}/rooms/x/join`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: '{}',
    });
    expect(joined.status).toBe(200);
  };
  /** The exit code of its health check, run now. */
  const health = async (service: string) => {
    const words = JSON.parse(await inspect(service, '{{json .Config.Healthcheck.Test}}')) as string[];
    const [kind, ...command] = words;
    const given = kind === 'CMD-SHELL' ? ['sh', '-c', ...command] : command;
    return run('docker', ['exec', await idOf(service), ...given]).then(
      () => 0,
      ({ code }: { code: number }) => code,
    );
  };

  test('nginx is replaced', async () => {
    const others = await lives('app', 'static');
    const before = await lives('nginx');
    await stack.compose('up', '-d', '--force-recreate', '--no-deps', '--wait', 'nginx');
    expect(await lives('nginx')).not.toEqual(before);
    expect(await lives('app', 'static')).toEqual(others);
    await isServed();
  });

  test('the app is replaced, and gets another address', async () => {
    const others = await lives('nginx', 'static');
    const old = await address();
    await stack.compose('rm', '-fs', 'app');
    const squatter = `${stack.project}-squatter`;
    await docker(
      'run',
      '-d',
      '--rm',
      '--name',
      squatter,
      '--network',
      `${stack.project}_default`,
      '--ip',
      old,
      'genkan',
    );
    try {
      await stack.compose('up', '-d', '--no-deps', '--wait', 'app');
      expect(await address()).not.toBe(old);
      await expect.poll(async () => (await fetch(`${stack.url}/rooms/x`)).status, { timeout: 10_000 }).toBe(200);
      expect(await lives('nginx', 'static')).toEqual(others);
      await isServed();
    } finally {
      await docker('rm', '-f', squatter);
    }
  });

  test('the files are published again', async () => {
    const others = await lives('nginx', 'app');
    await stack.compose('up', '-d', '--force-recreate', '--no-deps', 'static');
    expect(await lives('nginx', 'app')).toEqual(others);
    await isServed();
  });

  test('a new image replaces the app and publishes its files; nginx keeps running', async () => {
    const image = await docker('image', 'inspect', '-f', '{{.Id}}', 'genkan');
    const [nginx, rest] = [await lives('nginx'), await lives('app', 'static')];
    const build = run('docker', ['build', '-q', '-t', 'genkan', '-']);
    build.child.stdin?.end(`FROM genkan\nLABEL test=${stack.project}\n`);
    await build;
    try {
      await stack.compose('up', '-d', '--no-build', '--wait');
      const renewed = await lives('app', 'static');
      for (const [index, life] of renewed.entries()) expect(life).not.toBe(rest[index]);
      expect(await lives('nginx')).toEqual(nginx);
      await expect.poll(async () => (await fetch(`${stack.url}/rooms/x`)).status, { timeout: 10_000 }).toBe(200);
      await isServed();
    } finally {
      await docker('tag', image, 'genkan');
    }
  });

  test('nginx is healthy as long as visitors are served, also in maintenance', async () => {
    expect([await health('nginx'), await health('app')]).toEqual([0, 0]);
    const switched = (word: string) => stack.compose('exec', '-T', 'nginx', word, '/run/genkan-maintenance');
    await switched('touch');
    expect((await fetch(`${stack.url}/rooms/x`)).status).toBe(503);
    expect(await health('nginx')).toBe(0);
    await switched('rm');
    await isServed();
    await stack.compose('stop', 'app');
    expect(await health('nginx')).not.toBe(0);
    await stack.compose('up', '-d', '--no-deps', '--no-build', '--wait', 'app');
    const rename = 'mv /static/js/genkan.js /static/js/x.js';
    await stack.compose('run', '--rm', '--no-deps', '-T', 'static', 'sh', '-c', rename);
    await expect.poll(() => health('nginx'), { timeout: 50_000, interval: 1000 }).not.toBe(0);
    await stack.compose('up', '-d', '--force-recreate', '--no-deps', 'static');
    await expect.poll(() => health('nginx'), { timeout: 50_000, interval: 1000 }).toBe(0);
  });
});
