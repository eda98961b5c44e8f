/** The profile observe: Prometheus scrapes the real app; every query of the dashboard and the alerts returns something. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { z } from 'zod';
import { WebSocketPeer } from '../../app/conform/peers.ts';
import { without } from '../setup/without.ts';
import { type Stack, startStack } from './compose.ts';

const folder = join(import.meta.dirname, '../../deploy/observe');
const read = (file: string): string => readFileSync(join(folder, file), 'utf8');
const dashboard = z
  .looseObject({
    panels: z.array(z.looseObject({ title: z.string(), targets: z.array(z.looseObject({ expr: z.string() })) })),
  })
  .parse(JSON.parse(read('grafana/dashboards/genkan.json')));
const queries = dashboard.panels.flatMap(({ title, targets }) => targets.map(({ expr }) => [title, expr] as const));
const alerts = z
  .looseObject({
    groups: z.array(z.looseObject({ rules: z.array(z.looseObject({ alert: z.string(), expr: z.string() })) })),
  })
  .parse(parse(read('alerts.yml')))
  .groups.flatMap(({ rules }) => rules);

const answer = z.looseObject({ status: z.literal('success'), data: z.looseObject({}) });

describe.skipIf(without('docker'))('docker compose --profile observe', () => {
  let stack: Stack;
  const peers: WebSocketPeer[] = [];
  /** Prometheus publishes no port: it is queried from the app's container. */
  const ask = async (path: string) => {
    const script = `fetch('http://prometheus:9090${path}').then((a) => a.text()).then((t) => process.stdout.write(t))`;
    return answer.parse(JSON.parse(await stack.compose('exec', '-T', 'app', 'node', '-e', script))).data;
  };
  const found = async (expr: string) => (await ask(`/api/v1/query?query=${encodeURIComponent(expr)}`)).result;

  beforeAll(async () => {
    stack = await startStack();
    await stack.compose('--profile', 'observe', 'up', '-d', '--wait', 'prometheus');
    for (let i = 0; i < 2; i += 1) peers.push(new WebSocketPeer(stack.url, 'watched'));
    for (const peer of peers) await peer.join();
  });
  afterAll(async () => {
    for (const peer of peers) peer.dispose();
    await stack?.compose('--profile', 'observe', 'down', '-v');
    await stack?.down();
  });

  test('Prometheus scrapes the app, and its alerts are loaded', async () => {
    const up = () => found('up{job="genkan"}');
    await expect.poll(up, { timeout: 40_000, interval: 1000 }).toMatchObject([{ value: [expect.any(Number), '1'] }]);
    const { groups } = await ask('/api/v1/rules');
    expect(groups).toMatchObject([
      { rules: alerts.map(({ alert }) => ({ name: alert, health: expect.not.stringMatching('err') })) },
    ]);
  });

  // A rate needs two scrapes, 15 s apart.
  test.each(queries)('%s: %s', async (_title, expr) => {
    await expect.poll(() => found(expr), { timeout: 50_000, interval: 1000 }).not.toEqual([]);
  });

  test('every metric in dashboard and alerts is exported by the app', async () => {
    const script = "fetch('http://127.0.0.1:9191/metrics').then((a) => a.text()).then((t) => process.stdout.write(t))";
    const metrics = await stack.compose('exec', '-T', 'app', 'node', '-e', script);
    const names = new Set([...metrics.matchAll(/^# TYPE (\w+)/gm)].map(([, name]) => name));
    const used = [...queries.map(([, expr]) => expr), ...alerts.map(({ expr }) => expr)].join(' ');
    for (const [name] of used.matchAll(/genkan_\w+/g)) expect(names).toContain(name.replace(/_bucket$/, ''));
    const codes = new Set([...metrics.matchAll(/genkan_errors_total\{code="([^"]+)"/g)].map(([, code]) => code));
    for (const [, list = ''] of used.matchAll(/code=~?"([^"]+)"/g))
      for (const code of list.split('|')) expect(codes).toContain(code);
  });

  test('scraping continues with a new container of the app', async () => {
    await stack.compose('up', '-d', '--force-recreate', '--no-deps', '--wait', 'app');
    const starts = () => found('changes(process_start_time_seconds[5m]) > 0');
    await expect.poll(starts, { timeout: 50_000, interval: 1000 }).not.toEqual([]);
  });

  test('the files for Grafana reference each other', () => {
    const source = parse(read('grafana/provisioning/datasources/genkan.yml'));
    expect(source).toMatchObject({ datasources: [{ uid: 'genkan', url: 'http://prometheus:9090' }] });
    expect(JSON.stringify(dashboard)).not.toMatch(/"uid":"(?!genkan")/);
    const provider = parse(read('grafana/provisioning/dashboards/genkan.yml'));
    expect(readFileSync(join(folder, '../../docker-compose.yml'), 'utf8')).toContain(
      `:${provider.providers[0].options.path}:ro`,
    );
  });
});
