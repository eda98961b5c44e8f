/** The firewall rules of the guide against many connections of one client, in a network of their own. */
import { spawnSync } from 'node:child_process';
import { expect, test } from 'vitest';
import { without } from '../setup/without.ts';
import { scriptsOf } from './guide.ts';

/** Opens connections to port 80 of each address; prints how many the firewall accepts, and that a closed one makes room. */
const program = `
  import { once } from 'node:events';
  import { connect, createServer } from 'node:net';
  for (const address of ['127.0.0.1', '::1']) {
    const server = createServer().listen(80, address);
    await once(server, 'listening');
    const open = [];
    const next = async () => {
      const socket = connect({ port: 80, host: address, signal: AbortSignal.timeout(300) });
      await once(socket, 'connect');
      open.push(socket);
    };
    try { for (;;) await next(); } catch { console.log(address, open.length); }
    open.pop().destroy();
    for (;;) try { await next(); break; } catch {}
    console.log(address, open.length);
    for (const socket of open) socket.destroy();
    server.close();
  }
  process.exit();`;

test.skipIf(process.getuid?.() !== 0 || without('iptables', 'iproute2'))(
  'the firewall of the guide limits the connections of each client',
  () => {
    const [firewall = ''] = scriptsOf('connection-firewall');
    expect(firewall.match(/--connlimit-above 1000 /g)).toHaveLength(2);
    const script = `set -e; PATH="$PATH:/usr/sbin:/sbin"; ip link set lo up
      ${firewall.replaceAll('--connlimit-above 1000 ', '--connlimit-above 5 ')}
      exec "$NODE" --input-type=module -e "$PROGRAM"`;
    const env = { ...process.env, NODE: process.execPath, PROGRAM: program };
    const { stdout, stderr } = spawnSync('unshare', ['-n', 'sh', '-c', script], { env, encoding: 'utf8' });
    expect([stderr, stdout.trim().split('\n')]).toEqual(['', ['127.0.0.1 5', '127.0.0.1 5', '::1 5', '::1 5']]);
  },
);
