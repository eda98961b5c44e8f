/** The HTTP listener for statistics refuses clients that use a rebound DNS name. */

import { mkdtempSync, rmSync } from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { load } from '../../app/config/load.ts';
import { allowedHostNames } from '../../app/listener/allowed-hosts.ts';
import type { Readings } from '../../app/stats/process-stats.ts';
import { serveStats } from '../../app/stats/server.ts';
import { atEnd } from '../listener/uwsgi/finish.ts';

const readings: Readings = { stats: async () => '{}', metrics: async () => ({ type: 'text/plain', text: '' }) };

/** @returns the status of a request with this Host, by TCP and by a unix socket */
const listen = async (host: string, allowed: string[]) => {
  const directory = mkdtempSync(join(tmpdir(), 'genkan-stats-'));
  const unix = join(directory, 'stats.sock');
  const names = allowed.flatMap((name) => ['--allowed-hosts', name]);
  const loaded = load(['--http', ':0', '--stats-http', `${host}:0`, '--stats-http', unix, ...names], {});
  if ('faults' in loaded) throw new Error(loaded.faults.join('; '));
  const servers = await serveStats(loaded.settings, readings, { ready: () => true });
  atEnd(async () => {
    await servers.stop();
    rmSync(directory, { recursive: true, force: true });
  });
  const port = Number(servers.listening[0]?.address.split(':').at(-1));
  const ask = (where: { port: number; host: string } | { socketPath: string }, name: string | undefined) =>
    new Promise<number | undefined>((resolve, reject) => {
      const headers = name === undefined ? [] : ['Host', name];
      const sent = request({ ...where, path: '/metrics', headers, setHost: false, agent: false }, (response) => {
        response.resume().on('end', () => resolve(response.statusCode));
      });
      sent.on('error', reject).end();
    });
  return {
    tcp: (name: string) => ask({ port, host: '127.0.0.1' }, name),
    unix: (name: string) => ask({ socketPath: unix }, name),
  };
};

test.each([
  ['localhost', 200],
  ['LOCALHOST:9191', 200],
  ['genkan.localhost', 200],
  ['127.0.0.1:9191', 200],
  ['127.7.7.7', 200],
  ['[::1]:9191', 200],
  ['192.0.2.1:9191', 200],
  ['stats.meet.example:9191', 200],
  ['evil.example', 421],
  ['evil.example:9191', 421],
  ['localhost.evil.example', 421],
  ['127.0.0.1.evil.example', 421],
  ['meet.example', 421],
  ['notlocalhost', 421],
])('Host: %s gets %i', async (host, status) => {
  const { tcp, unix } = await listen('127.0.0.1', ['stats.meet.example']);
  expect([await tcp(host), await unix(host)]).toEqual([status, 200]);
});

test('the name it listens on is served, and no other without allowed-hosts', () => {
  const answers = allowedHostNames('Stats.internal', []);
  expect(['stats.internal:9191', 'STATS.internal', 'evil.example', 'a.stats.internal'].map(answers)).toEqual([
    true,
    true,
    false,
    false,
  ]);
});
