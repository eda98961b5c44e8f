/** The conformance client: it passes a correct server, and names the guarantee that a faulty one violates. */
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { json, text } from 'node:stream/consumers';
import { SignJWT } from 'jose';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { conform as run } from '../../app/commands/conform.ts';
import { type CaseResult, runCases, type SpecPart } from '../../app/conform/runner.ts';
import { eventStream, webSocket } from '../../app/conform/transports.ts';
import { startSpoiled } from '../client/spoiled.ts';
import { eventually } from '../listener/uwsgi/finish.ts';
import { certificate } from '../nginx/modes.ts';
import { startNginx } from '../nginx/nginx.ts';
import { isThorough, without } from '../setup/without.ts';
import { type Site, startSite } from '../signaling/site.ts';
import { specSettings } from '../signaling/spec.ts';
import { type Lie, type Message, startLiar } from './liar.ts';

const cli = join(import.meta.dirname, '../../dist/cli.js');
const conform = (...words: string[]) => {
  const child = spawn(process.execPath, [cli, 'conform', ...words]);
  const code = new Promise<number | null>((resolve) => child.once('close', resolve));
  return { ...child, stdout: child.stdout, stderr: child.stderr, code };
};

let site: Site;
beforeAll(async () => {
  // With many at once resuming may take longer.
  site = await startSite([...specSettings, '--grace', '10', '--return-grace', '5', '--poll-grace', '5']);
});
afterAll(() => site.stop());

/** What a part of the spec reports as broken or untested, while everything else is correct. */
const inspect = async (url: string, part: SpecPart = {}, pace = 20) => {
  const judged = await runCases({ base: url }, { pace }, part);
  return judged.filter(({ verdict }) => verdict !== 'kept');
};

/** Makes this side the initiator for every peer. */
const offering = (field: string, value: unknown) => (field === 'initiator' ? true : value);
const silentOf =
  (isIt: (message: Message) => boolean): Lie =>
  (message) =>
    isIt(message) ? [] : [message];
const overtaken = (): Lie => {
  const held: Message[] = [];
  return (message) => {
    if (message.type !== 'chat' || held.length > 0) return [message, ...held.splice(0)];
    held.push(message);
    return [];
  };
};

describe.concurrent('a violated guarantee is reported as that guarantee', () => {
  const lies: [string, number, () => Lie][] = [
    ['every peer is the initiator', 1, () => (message) => [JSON.parse(JSON.stringify(message), offering)]],
    [
      'an offer is changed in transit',
      2,
      () => (message) => [message.type === 'signal' ? { ...message, data: 'mine' } : message],
    ],
    ['a text is sent twice', 3, () => (message) => (message.type === 'chat' ? [message, message] : [message])],
    ['a text is sent after a later one', 3, overtaken],
    ['nothing is acknowledged', 3, () => silentOf(({ type }) => type === 'ack')],
    ['no peer-left is sent', 4, () => silentOf(({ type }) => type === 'peer-left')],
    [
      'a resume is answered with recovered: false',
      4,
      () => (message) => [{ ...message, ...(message.recovered ? { recovered: false } : {}) }],
    ],
    ['every bye has retry', 5, () => (message) => [message.type === 'bye' ? { ...message, retry: 1000 } : message]],
    [
      'an error has another code',
      6,
      () => (message) => [message.code === 'bad-message' ? { ...message, code: 'internal' } : message],
    ],
    ['no rate-limited is sent', 7, () => silentOf(({ code }) => code === 'rate-limited')],
    ['hosts do not see the lobby', 8, () => silentOf(({ type }) => type === 'lobby')],
  ];
  // Cases of these guarantees wait for what does not come.
  const long = new Set([
    'no peer-left is sent',
    'a resume is answered with recovered: false',
    'hosts do not see the lobby',
    'no rate-limited is sent',
  ]);
  for (const [name, guarantee, lying] of lies)
    test(name, { tags: long.has(name) ? ['slow'] : [] }, async ({ onTestFinished }) => {
      const liar = await startLiar(site.direct.http, lying);
      onTestFinished(() => liar.close());
      const found = await inspect(liar.url, { by: [webSocket], guarantee });
      expect(found.map(({ verdict }) => verdict)).toContain('broken');
    });

  test('an event stream is buffered', { tags: ['slow'], timeout: 90_000 }, async ({ onTestFinished }) => {
    const spoiled = await startSpoiled(site.direct.http, ['buffers streams']);
    onTestFinished(() => spoiled.close());
    const found = await inspect(spoiled.url, { by: [eventStream], guarantee: 9 });
    expect(found.map(({ verdict }) => verdict)).toContain('broken');
  });
});

test('a proxy that only forwards violates no guarantee', { tags: ['slow'], timeout: 150_000 }, async ({
  onTestFinished,
}) => {
  const liar = await startLiar(site.direct.http, () => (message) => [message]);
  onTestFinished(() => liar.close());
  // The server, the proxy and all peers are in this one process: so no other tests run at the same time, and times are longer. The command
  // below uses all transports.
  expect(await inspect(liar.url, { by: [webSocket] }, 75)).toEqual([]);
});

describe('the command', () => {
  test.skipIf(without('nginx'))(
    'passes a server behind TLS and uwsgi_pass, below a path, that requires tokens, and leaves nothing behind',
    async () => {
      const secret = 'a-shared-secret-of-forty-characters-0001';
      const closedSite = await startSite([...specSettings, '--auth', 'token', '--token-secret', secret]);
      onTestFinished(() => closedSite.stop());
      const files = certificate();
      onTestFinished(() => files.remove());
      const tls = ['--mode', 'tls', '--certificate', files.chain, '--certificate-key', files.key];
      const words = [...tls, '--server-name', 'localhost', '--base', '/a.b/meet'];
      const front = await startNginx({ app: { kind: 'uwsgi', address: closedSite.addresses.unix }, words });
      onTestFinished(() => front.stop());
      const token = (role: string) =>
        new SignJWT({ room: 'conform-*', role })
          .setProtectedHeader({ alg: 'HS256' })
          .setExpirationTime('10m')
          .sign(Buffer.from(secret));
      const tokens = ['--token', await token('guest'), '--token-host', await token('host')];
      const url = `https://localhost:${front.port}/a.b/meet/`;
      const seconds = isThorough ? 9 : 1;
      const { code, stdout } = conform(url, '--insecure', '--json', '--quick', `${seconds}`, ...tokens);
      const { cases } = (await json(stdout)) as { cases: CaseResult[] };
      expect(cases.filter(({ verdict }) => verdict === 'broken')).toEqual([]);
      const reasons = new Set(cases.map((one) => ('why' in one ? one.why : one.verdict)));
      expect([...reasons].sort()).toEqual([`it takes longer than ${seconds} s`, 'kept', 'tokens decide who is host']);
      expect(await code).toBe(0);
      // Reloading pages keep their seats for a moment.
      await eventually(() => expect(closedSite.count().peers).toBe(0), 20_000);
    },
    150_000,
  );

  test('prints its findings as a table, with exit code 1 for a violated guarantee', {
    tags: ['slow'],
    timeout: 150_000,
  }, async () => {
    const spoiled = await startSpoiled(site.direct.http, ['refuses upgrades']);
    onTestFinished(() => spoiled.close());
    const { code, stdout } = conform(spoiled.url, '--quick', '0');
    const message = await text(stdout);
    expect(message).toMatch(/^ +WebSocket +HTTP +SSE$/m);
    expect(message).toMatch(/^1 {2}the server decides who offers.*not tested +kept +kept$/m);
    expect(message).toMatch(/^9 {2}.*broken +kept/m);
    expect(message).toContain(
      'broken: 9, WebSocket: peers can join\n    the WebSocket handshake was answered with 403',
    );
    expect(await code).toBe(1);
  });

  test.each([
    [2, ['meet.example'], 'meet.example: must be the URL of the start page'],
    [2, ['http://127.0.0.1:1', '--quick', 'soon'], '--quick soon: must be a number of seconds'],
    [2, ['http://127.0.0.1:1', '--fast'], /--fast: there is no such option$/],
    [2, ['http://127.0.0.1:1', '--quik', '3'], /--quik: there is no such option; did you mean --quick\?$/],
    [2, ['http://127.0.0.1:1', '--quick'], "'--quick <value>' argument missing"],
  ])('fails with code %i for the arguments %j', async (wanted, words, sentence) => {
    const { code = 2, ...result } = await run(words);
    expect('faults' in result && result.faults).toEqual([expect.stringMatching(sentence)]);
    expect(code).toBe(wanted);
  });

  test.each([
    [2, [], 'no server specified'],
    [1, ['http://127.0.0.1:1'], 'could not test http://127.0.0.1:1: '],
  ])('exits with code %i for the arguments %j', async (wanted, words, sentence) => {
    const { code, stderr } = conform(...words);
    expect(await text(stderr)).toContain(`genkan: conform: ${sentence}`);
    expect(await code).toBe(wanted);
  });

  test('explains how to create a token where one is required', async () => {
    const closedSite = await startSite(['--auth', 'token', '--token-secret', 'x'.repeat(40)]);
    onTestFinished(() => closedSite.stop());
    const { code, stderr } = conform(closedSite.direct.http);
    expect(await text(stderr)).toMatch(/token-missing: .* genkan token --room 'conform-\*'/);
    expect(await code).toBe(2);
  });
});
