/** The result of the compose files in docker compose: every service is confined, and no variable is silently lost. */
import { execFileSync, spawnSync } from 'node:child_process';
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { schema } from '../../app/config/schema.ts';
import { without } from '../setup/without.ts';

const root = join(import.meta.dirname, '../..');

const service = z.looseObject({
  image: z.string(),
  read_only: z.boolean().optional(),
  cap_drop: z.array(z.string()).optional(),
  cap_add: z.array(z.string()).optional(),
  security_opt: z.array(z.string()).optional(),
  mem_limit: z.string().optional(),
  pids_limit: z.number().optional(),
  privileged: z.boolean().optional(),
  restart: z.string(),
  logging: z.looseObject({ options: z.record(z.string(), z.string()) }).optional(),
  healthcheck: z.looseObject({ test: z.array(z.string()).optional(), disable: z.boolean().optional() }).optional(),
  stop_grace_period: z.string().optional(),
  environment: z.record(z.string(), z.string().nullable()).optional(),
});
const project = z.looseObject({ services: z.record(z.string(), service) });

const config = (files: string[], environment: Record<string, string> = {}, directory = root) => {
  const words = ['compose', ...files.flatMap((file) => ['-f', file]), '--profile', '*', 'config', '--format', 'json'];
  const text = execFileSync('docker', words, { cwd: directory, env: { ...process.env, ...environment } });
  return project.parse(JSON.parse(String(text))).services;
};
const all = ['docker-compose.yml', 'deploy/compose.tls.yml'];
const seconds = (duration = ''): number => Number(/^(\d+)s$/.exec(duration)?.[1]);

describe.skipIf(without('docker'))('every compose service', () => {
  const services = without('docker') ? {} : config(all, { SERVER_NAME: 'meet.test' });

  test.each(Object.entries(services))('%s is confined', (name, one) => {
    expect(one).toMatchObject({ read_only: true, cap_drop: ['ALL'], security_opt: ['no-new-privileges:true'] });
    expect(one.privileged ?? false).toBe(false);
    expect(Number(one.mem_limit)).toBeGreaterThan(0);
    expect(one.pids_limit).toBeGreaterThan(0);
    expect(one.logging?.options).toEqual({ 'max-size': '10m', 'max-file': '3' });
    expect(seconds(one.stop_grace_period)).toBeGreaterThan(0);
    // Services that end by themselves have no health check. The app's own image has one.
    expect(Boolean(one.healthcheck?.test) || name === 'app').toBe(one.restart !== 'no');
  });

  test('only services that need capabilities have them', () => {
    const capable = Object.entries(services).filter(([, one]) => one.cap_add?.length);
    expect(capable.map(([name]) => name).sort()).toEqual(['nginx', 'turn']);
  });

  test('the app has longer to stop than its drain timeout', () => {
    expect(seconds(services.app?.stop_grace_period)).toBeGreaterThan(schema.parse({})['drain-timeout']);
  });
});

describe.skipIf(without('docker'))('.env', () => {
  let directory: string;
  beforeAll(() => {
    directory = mkdtempSync(join(tmpdir(), 'genkan-env-'));
    copyFileSync(join(root, 'docker-compose.yml'), join(directory, 'docker-compose.yml'));
  });
  afterAll(() => rmSync(directory, { recursive: true }));
  const write = (text: string) => writeFileSync(join(directory, '.env'), text);
  /** The output of the app with the environment that compose creates. */
  const check = () => {
    const { environment = {} } = config(['docker-compose.yml'], {}, directory).app ?? {};
    const given = Object.entries(environment).flatMap(([name, value]) =>
      value === null ? [] : ['-e', `${name}=${value}`],
    );
    const words = ['run', '--rm', '--network', 'none', ...given, 'genkan', 'node', 'dist/cli.js', 'check-config'];
    return spawnSync('docker', words, { encoding: 'utf8' });
  };

  test('is passed to the app', () => {
    write('GENKAN_MAX_PEERS=5\nGENKAN_PORT=8099\n');
    expect(config(['docker-compose.yml'], {}, directory).app?.environment).toMatchObject({ GENKAN_MAX_PEERS: '5' });
    expect(check()).toMatchObject({ status: 0 });
  });

  test('with an unknown name keeps the app from starting, with an error', () => {
    write('GENKAN_MAX_PEER=5\n');
    const { status, stderr } = check();
    expect(status).toBe(1);
    expect(stderr).toContain('GENKAN_MAX_PEER: there is no such setting; did you mean GENKAN_MAX_PEERS?');
  });

  test('.env.example names every variable that the compose files read, and no other', () => {
    const example = readFileSync(join(root, '.env.example'), 'utf8');
    const named = [...example.matchAll(/^# ([A-Z][A-Z_]+)=/gm)].map(([, name]) => name);
    const read = [...all, 'deploy/compose.unix.yml', 'deploy/compose.http.yml'].flatMap((file) =>
      [...readFileSync(join(root, file), 'utf8').matchAll(/\$\{([A-Z_]+)/g)].map(([, name]) => name),
    );
    for (const name of new Set(read)) expect(named).toContain(name);
    const own = named.filter((name) => !name?.startsWith('GENKAN_') && !name?.startsWith('COMPOSE_'));
    // Passed on by name alone.
    expect(own.filter((name) => !read.includes(name))).toEqual(['VALKEY_OPTIONS', 'TURN_OPTIONS']);
  });

  test('.env.example is valid with all values uncommented', () => {
    const example = readFileSync(join(root, '.env.example'), 'utf8');
    write(example.replaceAll(/^# (GENKAN_[A-Z_]+=.+)$/gm, '$1'));
    expect(check()).toMatchObject({ status: 0 });
  });
});
