/** The conformance client: it clears a server that keeps its promises, and names the guarantee that another one breaks. */
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { json, text } from 'node:stream/consumers';
import { SignJWT } from 'jose';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { type CaseResult, type Part, runCases } from '../../app/conform/runner.ts';
import { eventStream, webSocket } from '../../app/conform/transports.ts';
import { startSpoiled } from '../client/spoiled.ts';
import { eventually } from '../listener/uwsgi/finish.ts';
import { certificate } from '../nginx/modes.ts';
import { startNginx } from '../nginx/nginx.ts';
import { without } from '../setup/without.ts';
import { type Site, startSite } from '../signaling/site.ts';
import { specSettings } from '../signaling/spec.ts';
import { type Lie, type Said, startLiar } from './liar.ts';

const cli = join(import.meta.dirname, '../../dist/cli.js');
const conform = (...words: string[]) => {
  const child = spawn(process.execPath, [cli, 'conform', ...words]);
  const code = new Promise<number | null>((resolve) => child.once('close', resolve));
  return { ...child, stdout: child.stdout, stderr: child.stderr, code };
};

let site: Site;
beforeAll(async () => {
  // Many at once may take their time to come back.
  site = await startSite([...specSettings, '--grace', '10', '--return-grace', '5', '--poll-grace', '5']);
});
afterAll(() => site.stop());

/** What a part of the spec finds broken, or does not test, when everything else is sound. */
const inspect = async (url: string, part: Part = {}, pace = 20) => {
  const judged = await runCases({ base: url }, { pace }, part);
  return judged.filter(({ verdict }) => verdict !== 'kept');
};

/** Every peer is one to offer to. */
const offering = (field: string, value: unknown) => (field === 'initiator' ? true : value);
const silentOf =
  (isIt: (said: Said) => boolean): Lie =>
  (said) =>
    isIt(said) ? [] : [said];
const overtaken = (): Lie => {
  const held: Said[] = [];
  return (said) => {
    if (said.type !== 'chat' || held.length > 0) return [said, ...held.splice(0)];
    held.push(said);
    return [];
  };
};

describe.concurrent('a broken promise is found, as the one that it is', () => {
  test.for<[string, number, () => Lie]>([
    ['everyone is told to offer', 1, () => (said) => [JSON.parse(JSON.stringify(said), offering)]],
    ['an offer is touched on its way', 2, () => (said) => [said.type === 'signal' ? { ...said, data: 'mine' } : said]],
    ['a text comes twice', 3, () => (said) => (said.type === 'chat' ? [said, said] : [said])],
    ['a text comes after what followed it', 3, overtaken],
    ['nothing is acknowledged', 3, () => silentOf(({ type }) => type === 'ack')],
    ['nobody is said to have left', 4, () => silentOf(({ type }) => type === 'peer-left')],
    [
      'who comes back is told to begin anew',
      4,
      () => (said) => [{ ...said, ...(said.recovered ? { recovered: false } : {}) }],
    ],
    ['every bye invites to come back', 5, () => (said) => [said.type === 'bye' ? { ...said, retry: 1000 } : said]],
    [
      'an error has another code',
      6,
      () => (said) => [said.code === 'bad-message' ? { ...said, code: 'internal' } : said],
    ],
    ['nobody hears of a rate', 7, () => silentOf(({ code }) => code === 'rate-limited')],
    ['hosts do not see who waits', 8, () => silentOf(({ type }) => type === 'lobby')],
  ])('%s', async ([, guarantee, lying], { onTestFinished }) => {
    const liar = await startLiar(site.direct.http, lying);
    onTestFinished(() => liar.close());
    const found = await inspect(liar.url, { by: [webSocket], guarantee });
    expect(found.map(({ verdict }) => verdict)).toContain('broken');
  });

  test('an event stream is kept back', async ({ onTestFinished }) => {
    const spoiled = await startSpoiled(site.direct.http, ['buffers streams']);
    onTestFinished(() => spoiled.close());
    const found = await inspect(spoiled.url, { by: [eventStream], guarantee: 9 });
    expect(found.map(({ verdict }) => verdict)).toContain('broken');
  }, 90_000);
});

test('but one who only passes on is no liar', async ({ onTestFinished }) => {
  const liar = await startLiar(site.direct.http, () => (said) => [said]);
  onTestFinished(() => liar.close());
  // The server, what stands before it and all peers are in this one process: not beside other tests, and not too fast. Below the
  // command has all transports.
  expect(await inspect(liar.url, { by: [webSocket] }, 75)).toEqual([]);
}, 150_000);

describe('the command', () => {
  test.skipIf(without('nginx'))(
    'clears a server behind TLS and uwsgi_pass, below a path, that asks for tokens, and leaves nothing behind',
    async () => {
      const secret = 'a-shared-secret-of-forty-characters-0001';
      const house = await startSite([...specSettings, '--auth', 'token', '--token-secret', secret]);
      onTestFinished(() => house.stop());
      const files = certificate();
      onTestFinished(() => files.remove());
      const tls = ['--mode', 'tls', '--certificate', files.chain, '--certificate-key', files.key];
      const words = [...tls, '--server-name', 'localhost', '--base', '/a.b/meet'];
      const front = await startNginx({ app: { kind: 'uwsgi', address: house.addresses.unix }, words });
      onTestFinished(() => front.stop());
      const token = (role: string) =>
        new SignJWT({ room: 'conform-*', role })
          .setProtectedHeader({ alg: 'HS256' })
          .setExpirationTime('10m')
          .sign(Buffer.from(secret));
      const tokens = ['--token', await token('guest'), '--token-host', await token('host')];
      const url = `https://localhost:${front.port}/a.b/meet/`;
      const { code, stdout } = conform(url, '--insecure', '--json', '--quick', '9', ...tokens);
      const { cases } = (await json(stdout)) as { cases: CaseResult[] };
      expect(cases.filter(({ verdict }) => verdict === 'broken')).toEqual([]);
      const reasons = new Set(cases.map((one) => ('why' in one ? one.why : one.verdict)));
      expect([...reasons].sort()).toEqual(['it takes longer than 9 s', 'kept', 'tokens decide who is host']);
      expect(await code).toBe(0);
      // Pages that may be loaded again keep their seats for a moment.
      await eventually(() => expect(house.count().peers).toBe(0), 20_000);
    },
    150_000,
  );

  test('says in a table what it found, with code 1 for a broken promise', async () => {
    const spoiled = await startSpoiled(site.direct.http, ['refuses upgrades']);
    onTestFinished(() => spoiled.close());
    const { code, stdout } = conform(spoiled.url, '--quick', '0');
    const said = await text(stdout);
    expect(said).toMatch(/^ +WebSocket +HTTP +SSE$/m);
    expect(said).toMatch(/^1 {2}the server decides who offers.*not tested +kept +kept$/m);
    expect(said).toMatch(/^9 {2}.*broken +kept/m);
    expect(said).toContain('broken: 9, WebSocket: peers can join\n    the WebSocket handshake was answered with 403');
    expect(await code).toBe(1);
  }, 150_000);

  test.each([
    [2, [], 'no server specified'],
    [2, ['meet.example'], 'meet.example: must be the URL of the start page'],
    [2, ['http://127.0.0.1:1', '--quick', 'soon'], '--quick soon: must be a number of seconds'],
    [2, ['http://127.0.0.1:1', '--fast'], '--fast'],
    [1, ['http://127.0.0.1:1'], 'could not test http://127.0.0.1:1: '],
  ])('ends with code %i for the words %j', async (wanted, words, sentence) => {
    const { code, stderr } = conform(...words);
    expect(await text(stderr)).toContain(sentence);
    expect(await code).toBe(wanted);
  });

  test('says how a token is made where one is needed', async () => {
    const house = await startSite(['--auth', 'token', '--token-secret', 'x'.repeat(40)]);
    onTestFinished(() => house.stop());
    const { code, stderr } = conform(house.direct.http);
    expect(await text(stderr)).toMatch(/token-missing: .* genkan token --room 'conform-\*'/);
    expect(await code).toBe(2);
  });
});
