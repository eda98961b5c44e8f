/** What systemd passes and receives, with a stub for systemd-notify that records its arguments. */
import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type Stage, stage, until } from './program.ts';

let here: Stage;
const open: Server[] = [];
beforeEach(() => {
  here = stage();
});
afterEach(async () => {
  for (const server of open.splice(0)) server.close();
  await here.clear();
});

describe('notification', () => {
  const recorder = () => {
    mkdirSync(here.path('bin'));
    const [script, record] = [here.path('bin/systemd-notify'), here.path('told')];
    writeFileSync(script, `#!/bin/sh\necho "$NOTIFY_SOCKET $*" >> ${record}\n`);
    chmodSync(script, 0o755);
    return () => (existsSync(record) ? readFileSync(record, 'utf8').trim().split('\n') : []);
  };
  const env = (path: string) => ({ NOTIFY_SOCKET: '/run/fake', PATH: path });

  test('sends readiness, reloads, status, watchdog pings and stopping, in this order', async () => {
    const notifications = recorder();
    const program = here.start(['--http', '127.0.0.1:0', '--master', 'true'], {
      env: { ...env(`${here.path('bin')}:${process.env.PATH}`), WATCHDOG_USEC: '600000' },
    });
    await until(() => notifications().some((line) => line.includes('STATUS=')));
    expect(notifications()[0]).toBe('/run/fake READY=1');
    expect(notifications()).toContain('/run/fake STATUS=0 rooms, 0 peers');
    await until(() => notifications().includes('/run/fake WATCHDOG=1'));
    program.child.kill('SIGHUP');
    await until(() => notifications().filter((line) => line.endsWith(' READY=1')).length === 2);
    expect(notifications().find((line) => line.includes('RELOADING'))).toMatch(/ RELOADING=1 MONOTONIC_USEC=\d{6,}$/);
    program.child.kill('SIGTERM');
    expect(await program.exited).toBe(0);
    expect(
      notifications()
        .filter((line) => !line.includes('WATCHDOG'))
        .at(-1),
    ).toBe('/run/fake STOPPING=1');
  });

  test('logs once that systemd-notify is missing, and continues', async () => {
    const program = here.start(['--http', '127.0.0.1:0'], { env: env('/nonexistent') });
    await program.logged('systemd-notify failed; systemd was not notified');
    program.child.kill('SIGTERM');
    expect(await program.exited).toBe(0);
    expect(program.lines.filter(({ msg }) => msg.startsWith('systemd-notify'))).toHaveLength(1);
  });
});

describe('socket activation', () => {
  /** Sockets passed as file descriptors 3, 4 …; the program is started by a shell, which knows its PID. */
  const activate = async (count: number, names: string, args: string[]) => {
    const servers = Array.from({ length: count }, () => createServer());
    open.push(...servers);
    await Promise.all(servers.map((server) => new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))));
    const fds = servers.map((server) => (server as unknown as { _handle: { fd: number } })._handle.fd);
    const script = `LISTEN_PID=$$ LISTEN_FDS=${count} LISTEN_FDNAMES=${names} exec "$@"`;
    const { cli } = await import('./program.ts');
    const program = here.start(args, { command: ['sh', '-c', script, 'sh', process.execPath, cli], stdio: fds });
    const ports = servers.map((server) => {
      const bound = server.address();
      return typeof bound === 'object' && bound ? bound.port : 0;
    });
    return { program, ports };
  };

  test.each([['false'], ['true']])(
    'passed sockets replace the addresses of their setting, master %s',
    async (master) => {
      const { program, ports } = await activate(1, 'http', ['--http', '127.0.0.1:1', '--master', master]);
      const { url } = await program.logged('listening');
      expect(await program.logged('sockets passed by systemd replace the configured addresses')).toMatchObject({
        setting: 'http',
      });
      expect(url).toBe(`http://localhost:${ports[0]}`);
      // From now on only the program accepts.
      for (const server of open.splice(0)) server.close();
      expect((await fetch(`http://127.0.0.1:${ports[0]}/healthz`)).status).toBe(200);
    },
  );

  test('sockets are distributed to the workers', async () => {
    const { program, ports } = await activate(2, 'http-socket:http-socket', ['--processes', '2']);
    await program.logged('listening', 2);
    for (const server of open.splice(0)) server.close();
    for (const port of ports) expect((await fetch(`http://127.0.0.1:${port}/healthz`)).status).toBe(200);
    const urls = program.lines.filter(({ msg }) => msg === 'listening').map(({ worker, url }) => [worker, url]);
    expect(urls.sort()).toEqual(ports.map((port, index) => [index + 1, `http://localhost:${port}`]));
  });

  test('sockets must be enough for all workers', async () => {
    const { program } = await activate(3, 'socket:socket:socket', ['--processes', '2']);
    expect(await program.exited).toBe(1);
    expect(program.stderr()).toMatch(/3 inherited sockets cannot be distributed over 2 workers/);
  });
});
