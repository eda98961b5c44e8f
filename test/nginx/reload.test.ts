/** `genkan reload --nginx` with connected peers: nginx and the app are reloaded, and no connection is cut without a close frame. */

import { spawn } from 'node:child_process';
import { delimiter, dirname } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { WebSocketPeer } from '../../app/conform/peers.ts';
import { errors } from '../../app/protocol/errors.ts';
import { cli, type Stage, stage } from '../process/program.ts';
import { follow, talk, upTo } from '../process/talk.ts';
import { freePort } from '../setup/free-port.ts';
import { env, type Installed, nginxes } from '../setup/nginxes.ts';
import { isThorough, without } from '../setup/without.ts';
import { ways } from './modes.ts';
import { startNginx } from './nginx.ts';

let here: Stage;
beforeEach(() => {
  here = stage();
});
afterEach(() => here.clear());

/** Keeps every close code that it received. */
class CountingPeer extends WebSocketPeer {
  readonly codes: number[] = [];
  override async resume() {
    if (this.closed) this.codes.push(this.closed.code);
    return super.resume();
  }
}

/** A sender and a receiver, in a room of their own. */
type Pair = [CountingPeer, CountingPeer];

/** The command, with `by` as the nginx of this machine. */
const run = (by: Pick<Installed, 'command'>, ...words: string[]): Promise<{ code: number | null; output: string }> =>
  new Promise((resolve) => {
    const PATH = by.command === 'nginx' ? env.PATH : [dirname(by.command), env.PATH].join(delimiter);
    const child = spawn(process.execPath, [cli, ...words], { env: { ...env, PATH } });
    let output = '';
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (text) => (output += text));
    child.once('exit', (code) => resolve({ code, output }));
  });

/** Every version by every listener; unless everything is requested, the newest by uwsgi and by HTTP. */
const all = nginxes.flatMap((by) => ways.map((way) => ({ by, ...way })));
const chosen = isThorough ? all : all.filter(({ by, over }) => by === nginxes.at(-1) && over === 'a unix socket');

describe.each(chosen)('genkan reload --nginx, $by.name, by $kind over $over', ({ by, kind, over }) => {
  test.skipIf(by.version === undefined)(
    'with 200 open WebSockets loses no message, repeats none, and cuts no connection',
    async () => {
      const address = over === 'TCP' ? `127.0.0.1:${await freePort()}` : here.path('app.sock');
      const control = here.path('control');
      const flags = [kind === 'uwsgi' ? '--socket' : '--http-socket', address, '--control-socket', control];
      const program = here.start(['--master', ...flags, '--join-burst', '10000']);
      await program.logged('listening');
      const nginx = await startNginx({ by, app: { kind, address } });
      const pairs: Pair[] = [];
      try {
        for (let room = 0; room < 100; room += 1) {
          const pair: Pair = [new CountingPeer(nginx.url, `r${room}`), new CountingPeer(nginx.url, `r${room}`)];
          for (const peer of pair) await peer.join();
          pairs.push(pair);
        }
        let isOver = false;
        /** Sends until the reload is over, and once more; → the number of texts. */
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
        const deliveries = pairs.map(([, listener], index) =>
          follow(listener, Promise.resolve(spoken[index]).then(String)),
        );
        const reloaded = await run(by, 'reload', '--control-socket', control, '--nginx', nginx.file);
        isOver = true;
        expect(reloaded).toMatchObject({ code: 0, output: expect.stringContaining('Reloaded.') });
        const counts = await Promise.all(spoken);
        expect(await Promise.all(deliveries)).toEqual(counts.map(upTo));
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

test.skipIf(without('nginx'))('genkan reload --nginx reloads neither if nginx -t fails', async () => {
  const control = here.path('control');
  const program = here.start(['--master', '--http-socket', here.path('app.sock'), '--control-socket', control]);
  await program.logged('listening');
  const by = { command: 'nginx' };
  const { code, output } = await run(by, 'reload', '--control-socket', control, '--nginx', here.path('no-such.conf'));
  expect(code).toBe(1);
  expect(output).toMatch(/no-such\.conf/);
  expect(program.lines.map(({ msg }) => msg)).not.toContain('reloaded');
});
