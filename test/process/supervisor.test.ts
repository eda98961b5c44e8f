/** The supervisor as an administrator sees it: the compiled program with its workers. */
import { existsSync, readdirSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { get } from 'node:http';
import { connect } from 'node:net';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import WebSocket from 'ws';
import { encodePacket, requestVariables } from '../listener/uwsgi/client.ts';
import { isThorough } from '../setup/without.ts';
import { childrenOf, genkan, isAlive, type Program, type Stage, stage, until } from './program.ts';

let here: Stage;
beforeEach(() => {
  here = stage();
});
afterEach(() => here.clear());

const master = ['--master', 'true'];
/** The address of the nth listener in the log. */
const listening = async (program: Program, nth: number) => {
  const { address = '', pid = 0 } = await program.logged('listening', nth);
  return { address, pid, port: Number(address.split(':').at(-1)) };
};

describe('workers', () => {
  test('each have a socket of their own, which is removed at the end', async () => {
    const program = here.start([
      '--processes',
      '2',
      '--socket',
      here.path('app.%w.sock'),
      '--http-socket',
      '127.0.0.1:0',
    ]);
    await program.logged('listening', 4);
    expect(readdirSync(here.directory).sort()).toEqual(['app.1.sock', 'app.2.sock']);
    const tcp = program.lines.filter(({ setting }) => setting === 'http-socket');
    expect(new Set(tcp.map(({ address }) => address)).size).toBe(2);
    for (const { address } of tcp) expect((await fetch(`http://${address}/healthz`)).status).toBe(200);
    program.child.kill('SIGTERM');
    expect(await program.exited).toBe(0);
    expect(readdirSync(here.directory)).toEqual([]);
  });

  test('that would share an address or a room are refused', () => {
    expect(genkan('--processes', '2', '--http', ':9')).toMatchObject({
      status: 2,
      stderr: expect.stringMatching(/each room lives in one worker; put nginx in front, .*, or set --store valkey:/),
    });
    expect(genkan('--processes', '2', '--socket', '/tmp/x.sock').stderr).toMatch(/write %w for the worker's number/);
    expect(genkan('--processes', '2', '--master', 'false', '--socket', ':0').stderr).toMatch(
      /--master false: processes/,
    );
  });

  test('that die are respawned; repeated deaths end the supervisor', async () => {
    const program = here.start([...master, '--http', '127.0.0.1:0']);
    const { address } = await listening(program, 1);
    for (let nth = 1; nth <= 5; nth += 1) {
      const { pid } = await listening(program, nth);
      expect((await fetch(`http://${address}/healthz`)).status).toBe(200);
      process.kill(pid, 'SIGKILL');
    }
    expect(await program.exited).toBe(1);
    expect((await program.logged('giving up')).reason).toMatch(/worker 1 died 5 times/);
  });

  test('that get SIGTERM end cleanly, and are replaced', async () => {
    const program = here.start([...master, '--http', '127.0.0.1:0']);
    const { address, pid } = await listening(program, 1);
    process.kill(pid, 'SIGTERM');
    expect(await program.logged('worker ended')).toMatchObject({ pid, code: 0 });
    expect((await fetch(`http://${address}/healthz`)).status).toBe(200);
    await program.logged('listening', 2);
  });

  test('reopen their log files when the file of --touch-logreopen is touched', async () => {
    const [log, moved, touch] = [here.path('log'), here.path('log.1'), here.path('touch')];
    here.start([...master, '--http', '127.0.0.1:0', '--logto', log, '--touch-logreopen', touch]);
    const wrote = (file: string, text: string) => existsSync(file) && readFileSync(file, 'utf8').includes(text);
    await until(() => wrote(log, '"msg":"listening"'));
    const address = /"address":"([^"]+)"/.exec(readFileSync(log, 'utf8'))?.[1];
    renameSync(log, moved);
    writeFileSync(touch, '');
    await until(() => existsSync(log));
    // Each process opens it for itself.
    await until(() => {
      fetch(`http://${address}/healthz`).catch(() => {});
      return wrote(log, '"url":"/healthz"');
    });
  });

  test.runIf(process.getuid?.() === 0)(
    'drop to the user of --uid after binding ports and creating directories as root',
    async () => {
      const options = ['--processes', '2', '--socket', here.path('%w.sock'), '--chown-socket', '4321:4321'];
      const program = here.start([...options, '--uid', '12345', '--gid', '12345', '--http-socket', '127.0.0.1:0']);
      const { address, pid } = await listening(program, 1);
      const ids = (of: number) => readFileSync(`/proc/${of}/status`, 'utf8').match(/^([UG]id|Groups):.*$/gm);
      for (const of of [program.pid, pid])
        expect(ids(of)?.map((line) => line.trim().split(/\s+/))).toEqual([
          ['Uid:', '12345', '12345', '12345', '12345'],
          ['Gid:', '12345', '12345', '12345', '12345'],
          ['Groups:', '12345'],
        ]);
      expect(statSync(here.path('1.sock'))).toMatchObject({ uid: 4321, gid: 4321 });
      program.child.kill('SIGHUP');
      await program.logged('reloaded');
      expect((await fetch(`http://${address}/healthz`)).status).toBe(200);
      program.child.kill('SIGTERM');
      expect(await program.exited).toBe(0);
    },
  );

  test('are not left behind when the supervisor is killed', async () => {
    const program = here.start(['--processes', '2', '--http-socket', ':0']);
    const pids = [(await listening(program, 1)).pid, (await listening(program, 2)).pid];
    program.child.kill('SIGKILL');
    await until(() => !pids.some(isAlive), 3000);
  });
});

describe('reload', () => {
  /** Opens one connection after the other until it is stopped, each with a request that is sent a little later. */
  const knock = (to: { port: number } | { path: string }, request: Buffer | string) => {
    const seen = { answered: 0, failed: [] as string[] };
    const state = { going: true };
    const once = () =>
      new Promise<void>((resolve) => {
        let received = '';
        const socket = 'port' in to ? connect(to.port, '127.0.0.1') : connect(to.path);
        socket.on('connect', () => setTimeout(() => socket.write(request), 3));
        socket.on('data', (data) => {
          received += data;
          if (!/^HTTP\/1.1 200/.test(received) || !received.includes('"ok"')) return;
          seen.answered += 1;
          received = 'done';
          socket.destroy();
        });
        socket.on('error', (error) => seen.failed.push(error.message));
        socket.on('close', () => {
          if (received !== 'done') seen.failed.push(`closed after ${JSON.stringify(received)}`);
          resolve();
        });
      });
    const lane = async () => {
      while (state.going) await once();
    };
    const done = Promise.all([lane(), lane(), lane()]);
    return async () => {
      state.going = false;
      await done;
      return seen;
    };
  };
  const http = 'GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n';
  const uwsgi = encodePacket(requestVariables({ url: '/healthz' }));

  test('refuses no connection, on TCP or unix sockets, by HTTP or uwsgi, several times in a row', async () => {
    const [web, app] = [here.path('web.sock'), here.path('app.sock')];
    const program = here.start([
      ...master,
      '--http-socket',
      ':0',
      '--http-socket',
      web,
      '--socket',
      ':0',
      '--socket',
      app,
    ]);
    await program.logged('listening', 4);
    const [tcpWeb, , tcpApp] = await Promise.all([1, 2, 3].map((nth) => listening(program, nth)));
    const knockers = [
      knock({ port: tcpWeb?.port ?? 0 }, http),
      knock({ path: web }, http),
      knock({ port: tcpApp?.port ?? 0 }, uwsgi),
      knock({ path: app }, uwsgi),
    ];
    for (let nth = 1; nth <= (isThorough ? 5 : 2); nth += 1) {
      program.child.kill('SIGHUP');
      await program.logged('reloaded', nth);
    }
    for (const stop of knockers) {
      const { answered, failed } = await stop();
      expect(failed).toEqual([]);
      expect(answered).toBeGreaterThan(50);
    }
  });

  test('asks connected peers to reconnect', async () => {
    const program = here.start([...master, '--http', '127.0.0.1:0']);
    const { address } = await listening(program, 1);
    const socket = new WebSocket(`ws://${address}/rooms/r/ws`, 'genkan.v1');
    const received: string[] = [];
    socket.on('message', (data) => received.push(String(data)));
    await new Promise((resolve) => socket.once('open', resolve));
    socket.send('{"type":"join"}');
    await new Promise((resolve) => socket.once('message', resolve));
    const closed = new Promise((resolve) => socket.once('close', resolve));
    program.child.kill('SIGHUP');
    expect(await closed).toBe(4000);
    expect(JSON.parse(received.at(-1) ?? '{}')).toMatchObject({
      type: 'bye',
      code: 'draining',
      retry: expect.any(Number),
    });
    await program.logged('reloaded');
  });

  test('applies the new configuration, and keeps the old one while the new one is invalid', async () => {
    const file = here.path('genkan.yaml');
    const write = (text: string) => writeFileSync(file, `genkan:\n${text}`);
    write('  master: true\n  http: 127.0.0.1:0\n  max-message-bytes: 2048\n');
    const program = here.start(['--yaml', file]);
    const { address, pid } = await listening(program, 1);

    write('  master: true\n  http: 127.0.0.1:0\n  max-message-byte: 4096\n');
    program.child.kill('SIGHUP');
    expect((await program.logged('reload failed; current workers keep running')).reason).toMatch(/max-message-byte/);
    expect(isAlive(pid)).toBe(true);

    // Valid settings, but no worker can start: the address is in use.
    write('  master: true\n  http: [127.0.0.1:0, 203.0.113.1:80]\n');
    program.child.kill('SIGHUP');
    expect((await program.logged('reload failed; current workers keep running', 2)).reason).toMatch(/EADDRNOTAVAIL/);
    expect((await fetch(`http://${address}/healthz`)).status).toBe(200);

    write(`  processes: 2\n  socket: ${here.path('%w.sock')}\n`);
    program.child.kill('SIGHUP');
    await program.logged('reloaded');
    expect(isAlive(pid)).toBe(false);
    expect(readdirSync(here.directory).sort()).toEqual(['1.sock', '2.sock', 'genkan.yaml']);
    await expect(fetch(`http://${address}/healthz`)).rejects.toThrow();
  });

  test('keeps the old worker if its successor does not start', { tags: ['slow'] }, async () => {
    const program = here.start([...master, '--http', '127.0.0.1:0']);
    const { address, pid } = await listening(program, 1);
    // A successor that is killed as soon as it exists represents one that cannot start.
    program.child.kill('SIGHUP');
    await until(() => killSuccessor(program.pid, pid));
    expect((await program.logged('reload failed; current workers keep running')).reason).toMatch(/worker 1: it ended/);
    expect(isAlive(pid)).toBe(true);
    expect((await fetch(`http://${address}/healthz`)).status).toBe(200);
  });

  test('happens when a file is touched or created', { tags: ['slow'] }, async () => {
    const file = here.path('touch');
    const program = here.start(['--touch-reload', file, '--http', '127.0.0.1:0']);
    await program.logged('listening');
    writeFileSync(file, '');
    await program.logged('reloaded');
  });
});

describe('stopping', () => {
  test('fails /readyz before the sockets close', async () => {
    const program = here.start([...master, '--http', '127.0.0.1:0', '--drain-delay', '1']);
    const { address } = await listening(program, 1);
    expect((await fetch(`http://${address}/readyz`)).status).toBe(200);
    program.child.kill('SIGTERM');
    await program.logged('draining; send the same signal again to stop at once');
    let status = 200;
    await until(() => {
      get(`http://${address}/readyz`, (response) => {
        status = response.statusCode ?? 0;
        response.resume();
      }).on('error', () => {});
      return status === 503;
    }, 900);
    expect(await program.exited).toBe(0);
  });

  test('waits for connections no longer than the drain timeout, or a second signal', async () => {
    const stuck = async (address: string) => {
      const socket = connect(Number(address.split(':').at(-1)), '127.0.0.1');
      socket.on('error', () => {});
      // The server has read these headers when it asks for the body.
      const headers = 'Host: x\r\nExpect: 100-continue\r\nContent-Length: 10';
      socket.write(`POST /rooms/r/join HTTP/1.1\r\n${headers}\r\n\r\n`);
      await new Promise((resolve) => socket.once('data', resolve));
    };
    const bounded = here.start([...master, '--http', '127.0.0.1:0', '--drain-timeout', '1']);
    await stuck((await listening(bounded, 1)).address);
    bounded.child.kill('SIGTERM');
    expect(await bounded.exited).toBe(0);

    const impatient = here.start([...master, '--http', '127.0.0.1:0', '--drain-timeout', '600']);
    const { address, pid } = await listening(impatient, 1);
    await stuck(address);
    impatient.child.kill('SIGINT');
    await impatient.logged('draining; send the same signal again to stop at once');
    impatient.child.kill('SIGINT');
    expect(await impatient.exited).toBe(1);
    await until(() => !isAlive(pid), 1000);
  });
});

/** Kills the other worker, if it exists already. */
const killSuccessor = (supervisor: number, old: number): boolean => {
  const others = childrenOf(supervisor).filter((pid) => pid !== old);
  for (const pid of others) process.kill(pid, 'SIGKILL');
  return others.length > 0;
};
