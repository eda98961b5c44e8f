/**
 * Calls through the shipped coturn, with credentials that last 20 seconds: relayed, moved before they expire, refused when they are wrong.
 */

import { networkInterfaces } from 'node:os';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { turnCredential } from '../../app/auth/turn.ts';
import { readWords } from '../../app/doctor/options.ts';
import { Relay } from '../../app/doctor/relay.ts';
import { runChecks } from '../../app/doctor/run.ts';
import { scriptsOf } from '../deploy/guide.ts';
import { freePort } from '../setup/free-port.ts';
import { without } from '../setup/without.ts';
import { framesDecoded, join, launch, launchFirefox, open, type Person, untilSeen } from './browser.ts';
import { type Stack, startStack } from './compose.ts';
import { TurnClient } from './turn-client.ts';

const [secret, older] = ['the-secret-that-signs', 'the-secret-of-before'];

/** coturn's relays get the external address of this machine: relaying to the loopback is not allowed. */
const address = (): string => {
  const all = Object.values(networkInterfaces()).flatMap((addresses) => addresses ?? []);
  const found = all.find(({ family, internal }) => family === 'IPv4' && !internal);
  if (!found) throw new Error('this machine has no address but the loopback');
  return found.address;
};

/** The selected pair of each open connection, as `local-remote` candidate types, and the address that relays. */
const paths = ({ page }: Person): Promise<{ pair: string; relay: string }[]> =>
  page.evaluate(async () => {
    const all = 'testConnections' in window ? window.testConnections : [];
    const found: { pair: string; relay: string }[] = [];
    for (const connection of Array.isArray(all) ? all : []) {
      if (!(connection instanceof RTCPeerConnection) || connection.signalingState === 'closed') continue;
      const stats = await connection.getStats();
      const all = [...stats.values()];
      const chosen = all.find(({ type }) => type === 'transport')?.selectedCandidatePairId;
      // Firefox has no transport in its statistics, and marks the pair.
      const pair = all.find(({ type, id, selected }) => type === 'candidate-pair' && (selected ?? id === chosen));
      const [local, remote] = [stats.get(pair?.localCandidateId), stats.get(pair?.remoteCandidateId)];
      found.push({
        pair: `${local?.candidateType}-${remote?.candidateType}`,
        relay: `${local?.address}:${local?.port}`,
      });
    }
    return found;
  });

const relayed = { pair: 'relay-relay', relay: expect.stringContaining(':') };

/** How many connections the page has created so far, including the one that warms the browser up in the lobby. */
const connectionsMade = ({ page }: Person): Promise<number> =>
  page.evaluate(() => {
    const all = 'testConnections' in window ? window.testConnections : [];
    return Array.isArray(all) ? all.length : 0;
  });

/** When the credential of the open connection expires, seconds since 1970. */
const expiry = ({ page }: Person): Promise<number> =>
  page.evaluate(() => {
    const all = 'testConnections' in window ? window.testConnections : [];
    const connection: unknown = Array.isArray(all) ? all.at(-1) : undefined;
    if (!(connection instanceof RTCPeerConnection)) return 0;
    return Number.parseInt(connection.getConfiguration().iceServers?.at(-1)?.username ?? '', 10);
  });

describe.skipIf(without('docker', 'chromium'))('docker compose with the profile turn', () => {
  let stack: Stack;
  let browser: Browser;
  let server: { address: string; port: number };
  beforeAll(async () => {
    server = { address: address(), port: await freePort() };
    stack = await startStack({
      environment: {
        COMPOSE_PROFILES: 'turn',
        GENKAN_TURN_URL: `turn:${server.address}:${server.port}?transport=udp`,
        GENKAN_TURN_SECRET: `${secret} ${older}`,
        GENKAN_TURN_TTL: '20',
        TURN_OPTIONS: `listening-port=${server.port} relay-ip=${server.address} allowed-peer-ip=${server.address}`,
      },
    });
    browser = await launch();
  });
  afterAll(async () => {
    await browser?.close();
    await stack?.down();
  });

  const enter = async (room: string, name: string, fragment = '#ice=relay', own = browser): Promise<Person> => {
    const person = await open(own, `${stack.url}/rooms/${room}${fragment}`);
    await join(person, name);
    return person;
  };
  const ask = async (given: string, seconds: number, next = (_: TurnClient): Promise<number> => Promise.resolve(0)) => {
    const client = new TurnClient(
      server,
      turnCredential({ secret: given, names: 2 }, 'peer', undefined, Date.now() + seconds * 1000),
    );
    try {
      return (await client.allocate()) || (await next(client));
    } finally {
      client.close();
    }
  };

  test('coturn accepts credentials of either secret, and refuses wrong or expired ones', async () => {
    expect(await ask(secret, 20)).toBe(0);
    expect(await ask(older, 20)).toBe(0);
    expect(await ask('a-secret-of-no-one', 20)).toBe(401);
    expect(await ask(secret, -2)).toBe(401);
  });

  test.each([
    ...['127.0.0.1', '0.0.0.0', '10.0.0.1', '100.64.0.1', '169.254.169.254', '172.17.0.1', '192.168.0.1'],
    ...['198.18.0.1', '224.0.0.1', '255.255.255.255'],
  ])('coturn does not relay to %s', async (peer) => {
    expect(await ask(secret, 20, (client) => client.permit(peer))).toBe(403);
  });

  test('coturn relays to public addresses, and to an explicitly allowed one', async () => {
    expect(await ask(secret, 20, (client) => client.permit('8.8.8.8'))).toBe(0);
    expect(await ask(secret, 20, (client) => client.permit(server.address))).toBe(0);
  });

  test('the commands of the guide work', async () => {
    const scripts = scriptsOf('turn');
    expect(scripts).toHaveLength(1);
    for (const text of scripts) expect(await stack.script(text)).toMatch(/healthy[\s\S]*listener/i);
  });

  test('the doctor reports no fault or warning', async () => {
    const asked = readWords([stack.url]);
    if ('faults' in asked) throw new Error(asked.faults.join('; '));
    const report = await runChecks(asked.site);
    const findings = report.flatMap(({ findings }) => findings);
    expect(findings.filter(({ level }) => level === 'fault' || level === 'warning')).toEqual([]);
    expect(findings).toContainEqual({ level: 'ok', what: expect.stringMatching(/^turn:.*=udp allocates a relay$/) });
  });

  test.each(['udp', 'tcp'] as const)(
    'the doctor gets a relay from coturn by %s, and none with another secret',
    async (transport) => {
      const give = async (given: string) => {
        const relay = await Relay.reach({ scheme: 'turn', host: server.address, port: server.port, transport }, 5000);
        const outcome = await relay.allocate(
          turnCredential({ secret: given, names: 2 }, 'peer', undefined, Date.now() + 20_000),
        );
        relay.close();
        return outcome;
      };
      expect(await give('a-secret-of-no-one')).toBe(401);
      expect(await give(secret)).toBe(0);
    },
  );

  test('coturn runs as nobody, on a read-only file system, and hides the secret from other users', async () => {
    const turn = stack.container('turn');
    expect((await turn.exec(['id', '-u'])).output.trim()).toBe('65534');
    expect((await turn.exec(['touch', '/etc/coturn/x'])).exitCode).not.toBe(0);
    expect((await turn.exec(['stat', '-c', '%a', '/run/turn/turnserver.conf'])).output.trim()).toBe('600');
    const commands = (await turn.exec(['sh', '-c', 'cat /proc/[0-9]*/cmdline | tr "\\0" " "'])).output;
    expect(commands).toContain('turnserver -c');
    expect(commands).not.toContain(secret);
  });

  test('a relayed call outlives its credentials, and so do peers that join or restart ICE later', async () => {
    const room = `relay-${process.pid}`;
    const [a, b] = [await enter(room, 'A'), await enter(room, 'B')];
    await Promise.all([untilSeen(a, 1), untilSeen(b, 1)]);
    expect([await paths(a), await paths(b)]).toMatchObject([[relayed], [relayed]]);
    const [first, before, made] = [await expiry(a), await paths(a), await connectionsMade(a)];

    await expect.poll(() => Date.now() / 1000 - first, { timeout: 90_000, interval: 1000 }).toBeGreaterThan(40);
    expect(await expiry(a)).toBeGreaterThan(Date.now() / 1000);
    await Promise.all([untilSeen(a, 1), untilSeen(b, 1)]);
    const moved = await paths(a);
    expect(moved).toMatchObject([relayed]);
    expect(moved).not.toEqual(before);
    // The same connection all the time, of which only the path changed.
    expect(await connectionsMade(a)).toBe(made);

    await a.page.evaluate(() => {
      const all = 'testConnections' in window ? window.testConnections : [];
      if (Array.isArray(all)) all.at(-1).restartIce();
    });
    await expect.poll(() => paths(a)).not.toEqual(moved);
    await expect.poll(() => paths(a)).toMatchObject([relayed]);

    const c = await enter(room, 'C');
    await Promise.all([untilSeen(a, 2), untilSeen(b, 2), untilSeen(c, 2)]);
    expect(await paths(c)).toMatchObject([relayed, relayed]);
    expect([...a.complaints, ...b.complaints, ...c.complaints]).toEqual([]);
    await Promise.all([a, b, c].map(({ context }) => context.close()));
  }, 180_000);

  test.skipIf(without('firefox-esr')).each([
    ['Firefox', 'Chromium'],
    ['Chromium', 'Firefox'],
    ['Firefox', 'Firefox'],
  ] as const)(
    '%s and %s, both relayed: their call outlives its credentials',
    async (...makes) => {
      const firefox = await launchFirefox();
      onTestFinished(() => firefox.close());
      const room = `relay-${makes.join('-')}`;
      const people: Person[] = [];
      for (const make of makes)
        people.push(await enter(room, make, '#ice=relay', make === 'Firefox' ? firefox : browser));
      const all = <T>(look: (person: Person) => Promise<T>): Promise<T[]> => Promise.all(people.map(look));
      await all((person) => untilSeen(person, 1));
      // A peer that is reached over the path before its candidate was signaled lists it as peer reflexive; each end relays for itself.
      const eachRelayed = [1, 2].map(() => [{ ...relayed, pair: expect.stringMatching(/^relay-(relay|prflx)$/) }]);
      const [before, made] = [await all(paths), await all(connectionsMade)];
      expect(before).toMatchObject(eachRelayed);
      const until = Date.now() + 45_000;
      while (Date.now() < until) {
        await all((person) => untilSeen(person, 1, 5_000));
        await people[0]?.page.waitForTimeout(1_000);
      }
      // One path may just be replacing another.
      await expect.poll(() => all(paths), { timeout: 5_000 }).toMatchObject(eachRelayed);
      expect(await all(paths)).not.toEqual(before);
      expect(await all(connectionsMade)).toEqual(made);
      expect(people.flatMap(({ complaints }) => complaints)).toEqual([]);
      await all(({ context }) => context.close());
    },
    180_000,
  );

  test('a call recovers when coturn is restarted, as with another secret', async () => {
    const room = `restart-${process.pid}`;
    const [a, b] = [await enter(room, 'A'), await enter(room, 'B')];
    await Promise.all([untilSeen(a, 1), untilSeen(b, 1)]);
    const before = await paths(a);
    await stack.compose('restart', 'turn');
    await Promise.all([untilSeen(a, 1, 60_000), untilSeen(b, 1, 60_000)]);
    expect([await paths(a), await paths(b)]).toMatchObject([[relayed], [relayed]]);
    expect(await paths(a)).not.toEqual(before);
    await Promise.all([a.context.close(), b.context.close()]);
  }, 120_000);

  test('a coturn that hangs is unhealthy', async () => {
    const turn = stack.container('turn');
    const check = async () => (await turn.exec(['sh', '/etc/coturn/turn.sh', 'check'])).exitCode;
    const signal = (name: string) => turn.exec(['sh', '-c', `kill -${name} $(cat /run/turn/pid)`]);
    expect(await check()).toBe(0);
    await signal('STOP');
    expect(await check()).not.toBe(0);
    await signal('CONT');
    await expect.poll(check).toBe(0);
  });

  test('a direct call takes the new credentials and keeps its path', async () => {
    const room = `direct-${process.pid}`;
    const [a, b] = [await enter(room, 'A', ''), await enter(room, 'B', '')];
    await Promise.all([untilSeen(a, 1), untilSeen(b, 1)]);
    const [first, path, frames] = [await expiry(a), await paths(a), await framesDecoded(a.page)];
    expect(path[0]?.pair).not.toContain('relay');
    await expect.poll(() => expiry(a), { timeout: 20_000 }).toBeGreaterThan(first);
    await untilSeen(a, 1);
    expect(await paths(a)).toEqual(path);
    expect(await framesDecoded(a.page)).toBeGreaterThan(frames);
    await Promise.all([a.context.close(), b.context.close()]);
  });
});
