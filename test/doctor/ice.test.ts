/** STUN and TURN servers in every state, and the doctor's findings. */
import { createSocket } from 'node:dgram';
import { afterAll, describe, expect, test, vi } from 'vitest';
import { ice } from '../../app/doctor/checks/ice.ts';
import type { FaultName } from '../../app/doctor/faults.ts';
import { readWords } from '../../app/doctor/options.ts';
import { parseIceUrl } from '../../app/doctor/relay.ts';
import { stage } from '../process/program.ts';
import { without } from '../setup/without.ts';
import { startSite } from '../signaling/site.ts';
import { createAuthority } from './certificates.ts';
import { type Habits, startTurn } from './turn-server.ts';

const secret = 'the-secret-that-signs';
const authority = createAuthority();
afterAll(() => authority.remove());

/** The names of the findings for a site with these settings, and the text of all findings. */
const examine = async (settings: string[], ...words: string[]): Promise<{ names: FaultName[]; text: string }> => {
  const site = await startSite(settings);
  try {
    return await examineAt(site.direct.http, ...words);
  } finally {
    await site.stop();
  }
};

const examineAt = async (url: string, ...words: string[]) => {
  const asked = readWords([url, '--timeout', '2', ...words]);
  if ('faults' in asked) throw new Error(asked.faults.join('; '));
  const findings = await ice.run(asked.site);
  const names = findings.flatMap((one) => ('name' in one ? [one.name] : []));
  return { names, text: findings.map(({ what }) => what).join('\n') };
};

const withTurn = (url: string, signs = secret) => ['--turn-url', url, '--turn-secret', signs];

type Row = { finds: FaultName[]; what: string; habits?: () => Habits; signs?: string; words?: () => string[] };
const rows: Row[] = [
  { finds: [], what: 'UDP' },
  { finds: [], what: 'UDP that loses the first request', habits: () => ({ deaf: 1 }) },
  { finds: [], what: 'TCP', habits: () => ({ transport: 'tcp' }) },
  { finds: ['turn-credential'], what: 'another secret', signs: 'a-secret-of-no-one' },
  {
    finds: ['turn-credential'],
    what: 'another secret, by TCP',
    habits: () => ({ transport: 'tcp' }),
    signs: 'a-secret-of-no-one',
  },
  { finds: ['turn-refused'], what: 'an exhausted quota', habits: () => ({ refuses: 486 }) },
  { finds: ['ice-unreachable'], what: 'no response', habits: () => ({ deaf: 99 }) },
];
const tlsRows: Row[] = [
  {
    finds: [],
    what: 'TLS',
    habits: () => ({ transport: 'tls', files: authority.issue() }),
    words: () => ['--ca', authority.file],
  },
  {
    finds: ['turn-tls'],
    what: 'TLS by an unknown issuer',
    habits: () => ({ transport: 'tls', files: authority.selfSigned() }),
  },
];

/** Starts a server with these behaviours; → the findings. */
const examineTurn = async ({ habits, signs, words }: Row) => {
  const turn = await startTurn(secret, habits?.());
  const { names, text } = await examine(withTurn(turn.url, signs), ...(words?.() ?? []));
  turn.stop();
  return { names, text, isRelay: text.includes(`${turn.url} allocates a relay`) };
};

describe('TURN', () => {
  test.concurrent.for(rows)('$what → $finds', async (row, { expect: here }) => {
    const { names, text, isRelay } = await examineTurn(row);
    here([names, isRelay], text).toEqual([row.finds, row.finds.length === 0]);
  });

  // openssl creates the certificates, and is installed with nginx.
  test.skipIf(without('nginx')).each(tlsRows)('$what → $finds', async (row) => {
    const { names, text, isRelay } = await examineTurn(row);
    expect([names, isRelay], text).toEqual([row.finds, row.finds.length === 0]);
  });

  test('without a TCP listener → ice-unreachable', async () => {
    const turn = await startTurn(secret, { transport: 'tcp' });
    turn.stop();
    expect((await examine(withTurn(turn.url))).names).toEqual(['ice-unreachable']);
  });

  test('with a server clock that is an hour behind gets expired credentials', async () => {
    const turn = await startTurn(secret);
    const play = stage();
    const program = play.start(['--http', '127.0.0.1:0', '--turn-ttl', '600', ...withTurn(turn.url)]);
    const { address } = await program.logged('listening');
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 3_600_000 });
    const { names, text } = await examineAt(`http://${address}`);
    vi.useRealTimers();
    await play.clear();
    turn.stop();
    expect(names, text).toEqual(['turn-expired']);
  });
});

describe('STUN', () => {
  test('that responds → no-turn', async () => {
    const turn = await startTurn(secret);
    const { names, text } = await examine(['--stun-url', `stun:127.0.0.1:${turn.port}`]);
    turn.stop();
    expect(names).toEqual(['no-turn']);
    expect(text).toContain(`stun:127.0.0.1:${turn.port} answers`);
  });

  test('that does not respond → ice-unreachable; without any → no-turn', async () => {
    const socket = createSocket('udp4');
    await new Promise<void>((resolve) => socket.bind(0, '127.0.0.1', resolve));
    const { port } = socket.address();
    const { names } = await examine(['--stun-url', `stun:127.0.0.1:${port}`]);
    socket.close();
    expect(names).toEqual(['ice-unreachable', 'no-turn']);
    expect((await examine([])).names).toEqual(['no-turn']);
  });
});

test.each([
  ['turn:turn.example', { scheme: 'turn', host: 'turn.example', port: 3478, transport: 'udp' }],
  ['turn:turn.example:80?transport=tcp', { scheme: 'turn', host: 'turn.example', port: 80, transport: 'tcp' }],
  ['turns:[2001:db8::1]?transport=tcp', { scheme: 'turns', host: '2001:db8::1', port: 5349, transport: 'tls' }],
  ['stuns:stun.example', { scheme: 'stuns', host: 'stun.example', port: 5349, transport: 'tls' }],
  ['stun:', undefined],
  ['http://turn.example', undefined],
])('%s', (url, server) => {
  expect(parseIceUrl(url)).toEqual(server);
});
