/** `genkan reload --nginx` with people inside: nginx and the app are reloaded, and no connection is cut without a word. */
import { spawn } from 'node:child_process';
import { delimiter, dirname } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { WebSocketPeer } from '../../app/conform/peers.ts';
import { errors } from '../../app/protocol/errors.ts';
import { cli, type Stage, stage } from '../process/program.ts';
import { follow, talk, upTo } from '../process/talk.ts';
import { env, type Installed, nginxes } from '../setup/nginxes.ts';
import { isThorough, without } from '../setup/without.ts';
import { ways } from './modes.ts';
import { freePort, startNginx } from './nginx.ts';

let here: Stage;
beforeEach(() => {
  here = stage();
});
afterEach(() => here.clear());

/** Keeps every close code that it met. */
class CountingPeer extends WebSocketPeer {
  readonly codes: number[] = [];
  override async resume() {
    if (this.closed) this.codes.push(this.closed.code);
    return super.resume();
  }
}

/** A speaker and a listener, in a room of their own. */
type Pair = [CountingPeer, CountingPeer];

/** The command, to which `by` is the nginx of this machine. */
const run = (by: Pick<Installed, 'command'>, ...words: string[]): Promise<{ code: number | null; said: string }> =>
  new Promise((resolve) => {
    const PATH = by.command === 'nginx' ? env.PATH : [dirname(by.command), env.PATH].join(delimiter);
    const child = spawn(process.execPath, [cli, ...words], { env: { ...env, PATH } });
    let said = '';
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (text) => (said += text));
    child.once('exit', (code) => resolve({ code, said }));
  });

/** Each version by each way; if not everything is asked for by uwsgi and by HTTP, on TCP and on unix sockets in turn. */
const chosen = nginxes.flatMap((by, index) =>
  ways.filter((_, nth) => isThorough || nth % 2 === index % 2).map((way) => ({ by, ...way })),
);

describe.each(chosen)('genkan reload --nginx, $by.name, by $kind over $over', ({ by, kind, over }) => {
  test.skipIf(by.version === undefined)(
    'with 200 WebSockets inside loses no message, repeats none, and cuts nobody',
    async () => {
      const address = over === 'TCP' ? `127.0.0.1:${await freePort()}` : here.path('app.sock');
      const control = here.path('control');
      const flags = [kind === 'uwsgi' ? '--socket' : '--http-socket', address, '--control-socket', control];
      const program = here.start(['--master', ...flags, '--join-burst', '10000']);
      await program.said('listening');
      const nginx = await startNginx({ by, app: { kind, address } });
      const pairs: Pair[] = [];
      try {
        for (let room = 0; room < 100; room += 1) {
          const pair: Pair = [new CountingPeer(nginx.url, `r${room}`), new CountingPeer(nginx.url, `r${room}`)];
          for (const peer of pair) await peer.join();
          pairs.push(pair);
        }
        let isOver = false;
        /** Talks until the reload is over, and once more; → how many texts it were. */
        const speak = async ([speaker]: Pair) => {
          let count = 0;
          for (let isLast = false; !isLast; ) {
            isLast = isOver;
            count += 10;
            await talk(speaker, count, { atOnce: 2, pause: 100 });
          }
          return count;
        };
        const spoken = pairs.map(speak);
        const heard = pairs.map(([, listener], index) => follow(listener, Promise.resolve(spoken[index]).then(String)));
        const reloaded = await run(by, 'reload', '--control-socket', control, '--nginx', nginx.file);
        isOver = true;
        expect(reloaded).toMatchObject({ code: 0, said: expect.stringContaining('Reloaded.') });
        const counts = await Promise.all(spoken);
        expect(await Promise.all(heard)).toEqual(counts.map(upTo));
        const codes = pairs.flat().flatMap((peer) => peer.codes);
        expect(codes).toHaveLength(200);
        expect(new Set(codes)).toEqual(new Set([errors.draining.close]));
        expect(await nginx.logs()).toContain('gracefully shutting down');
      } finally {
        for (const peer of pairs.flat()) peer.dispose();
        await nginx.stop();
      }
    },
    120_000,
  );
});

test.skipIf(without('nginx'))(
  'genkan reload --nginx leaves both as they are when nginx would not take its files',
  async () => {
    const control = here.path('control');
    const program = here.start(['--master', '--http-socket', here.path('app.sock'), '--control-socket', control]);
    await program.said('listening');
    const by = { command: 'nginx' };
    const { code, said } = await run(by, 'reload', '--control-socket', control, '--nginx', here.path('no-such.conf'));
    expect(code).toBe(1);
    expect(said).toMatch(/no-such\.conf/);
    expect(program.lines.map(({ msg }) => msg)).not.toContain('reloaded');
  },
);
