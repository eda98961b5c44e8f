/** The control socket when a command fails. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { ask, openControl } from '../../app/process/control-socket.ts';
import type { ServerControl } from '../../app/process/lifecycle.ts';

test('a command that fails is answered and logged, and the socket closes', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'genkan-control-'));
  onTestFinished(() => rmSync(directory, { recursive: true }));
  const path = join(directory, 'control.sock');
  const control: ServerControl = {
    stop: () => Promise.reject(new Error('a worker hangs')),
    kill: () => {},
    reload: async () => ({}),
    reopen: () => {},
    paused: false,
    status: () => ({ pid: 1 }),
    count: () => ({ rooms: 0, peers: 0 }),
  };
  const errors: object[] = [];
  const log = { info: () => {}, warn: () => {}, error: (fields: object) => void errors.push(fields) };
  const { close } = await openControl(path, control, log);
  expect(await ask(path, 'stop')).toEqual({ ok: false, error: 'a worker hangs' });
  expect(errors).toMatchObject([{ err: new Error('a worker hangs') }]);
  expect(await ask(path, 'status')).toEqual({ ok: true, status: { pid: 1 } });
  await close();
});
