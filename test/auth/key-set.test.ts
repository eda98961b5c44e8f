/** Key sets at a URL: which tokens they verify, and what a slow, huge, failing or malicious key server can do. */
import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { gzipSync } from 'node:zlib';
import { exportJWK, type JWTPayload, SignJWT } from 'jose';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type KeySetOptions, keySetLimits, remoteKeySet } from '../../app/auth/key-set.ts';
import { secretKey, type VerificationKey } from '../../app/auth/keys.ts';
import { createTokenVerifier } from '../../app/auth/token.ts';

const now = 1_800_000_000_000;
const secret = 'k'.repeat(32);
const newKeys = () => generateKeyPairSync('ed25519');
const sign = (key: KeyObject | Uint8Array, head: { alg?: string; kid?: string } = {}, claims: JWTPayload = {}) =>
  new SignJWT({ room: 'hall', exp: now / 1000 + 60, ...claims })
    .setProtectedHeader({ alg: 'EdDSA', ...head })
    .sign(key);
const gate = (...keys: VerificationKey[]) => {
  const ask = createTokenVerifier({ required: true, keys, leeway: 5 });
  return async (token: string) => {
    const result = await ask(token, 'hall', now);
    return 'refused' in result ? result.refused : result;
  };
};
const setOf = async (...keys: [KeyObject, object][]) => ({
  keys: await Promise.all(keys.map(async ([key, more]) => ({ ...(await exportJWK(key)), ...more }))),
});

let answer: RequestListener = (_request, response) => response.end();
let asked = 0;
const server = createServer((request, response) => {
  asked += 1;
  answer(request, response);
});
const serve = (set: object, status = 200) => {
  answer = (_request, response) => response.writeHead(status).end(JSON.stringify(set));
};
const urlOf = (path: string) => new URL(path, `http://127.0.0.1:${(server.address() as AddressInfo).port}`);
/** An unknown key is requested at once. */
const fetched = (options: KeySetOptions = {}, path = '/jwks.json') =>
  remoteKeySet(urlOf(path), { ...options, limits: { cooldown: 0, pause: 0, ...options.limits } });
beforeAll(() => new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve)));
beforeEach(() => {
  asked = 0;
});
afterAll(() => {
  server.close();
  server.closeAllConnections();
});

describe('a key set', () => {
  test('is fetched once, again for an unknown kid, and drops removed keys', async () => {
    const ask = gate(fetched());
    const [older, newer] = [newKeys(), generateKeyPairSync('ec', { namedCurve: 'P-256' })];
    serve(await setOf([older.publicKey, { kid: 'a' }]));
    const first = await sign(older.privateKey, { kid: 'a' });
    expect(await ask(first)).toEqual({});
    expect(await ask(first)).toEqual({});
    expect(asked).toBe(1);
    serve(await setOf([newer.publicKey, { kid: 'b', use: 'sig' }]));
    expect(await ask(await sign(newer.privateKey, { alg: 'ES256', kid: 'b' }))).toEqual({});
    expect(asked).toBe(2);
    expect(await ask(first)).toBe('token-invalid');
  });

  test('accepts a token without kid only while few of its keys match', async () => {
    const pairs = Array.from({ length: 5 }, newKeys);
    const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 });
    const entries = pairs.map(({ publicKey }, at): [KeyObject, object] => [publicKey, { kid: String(at) }]);
    serve(await setOf([rsa.publicKey, { kid: 'r' }], ...entries.slice(0, 4)));
    const few = gate(fetched());
    const [, , , fourth, fifth] = pairs;
    if (!fourth || !fifth) throw new Error('too few pairs');
    expect(await few(await sign(fourth.privateKey))).toEqual({});
    expect(await few(await sign(fourth.privateKey, {}, { exp: now / 1000 - 60 }))).toBe('token-expired');
    expect(await few(await sign(fifth.privateKey))).toBe('token-invalid');
    serve(await setOf(...entries));
    const many = gate(fetched());
    expect(await many(await sign(fifth.privateKey))).toBe('token-invalid');
    expect(await many(await sign(fifth.privateKey, { kid: '4' }))).toEqual({});
  });

  test('never exposes a symmetric or public key as a secret', async () => {
    serve({ keys: [{ kty: 'oct', k: Buffer.from(secret).toString('base64url'), kid: 's', alg: 'HS256' }] });
    const token = await sign(new TextEncoder().encode(secret), { alg: 'HS256', kid: 's' });
    expect(await gate(fetched())(token)).toBe('token-invalid');
    expect(asked).toBe(0);
  });
});

describe('a key server', () => {
  const { publicKey, privateKey } = newKeys();

  test.each<[string, RequestListener, string]>([
    ['fails', (_, response) => response.writeHead(500).end('{}'), 'it answered 500'],
    ['sends invalid JSON', (_, response) => response.end('no JSON'), 'not valid JSON'],
    ['sends something else', (_, response) => response.end('{"keys":7}'), 'it is no JSON Web Key Set'],
    ['sends no keys', (_, response) => response.end('{"keys":[null]}'), 'it is no JSON Web Key Set'],
    [
      'sends too many keys',
      (_, response) => response.end(JSON.stringify({ keys: Array.from({ length: 65 }, () => ({ kty: 'OKP' })) })),
      'it has 65 keys, at most 64 are read',
    ],
    ['sends elsewhere', (_, response) => response.writeHead(302, { location: '/other' }).end(), 'unexpected redirect'],
    ['never answers', () => {}, 'timeout'],
    ['never ends its response', (_, response) => response.write('{"keys":['), 'timeout'],
  ])('that %s is a server failure, not a token error', async (_case, listener, reason) => {
    answer = listener;
    const reasons: string[] = [];
    const limits = reason === 'timeout' ? { timeout: 200 } : {};
    const set = fetched({ limits, failed: (one) => reasons.push(one) });
    const token = await sign(privateKey);
    expect(await gate(set)(token)).toBe('keys-unavailable');
    expect(asked).toBe(1);
    expect(reasons).toEqual([expect.stringContaining(reason)]);
    // Tokens of another key do not depend on it.
    const own = await sign(new TextEncoder().encode(secret), { alg: 'HS256' });
    expect(await gate(secretKey(secret), set)(own)).toEqual({});
  });

  test('that is available again accepts tokens again', async () => {
    serve({}, 503);
    const ask = gate(fetched());
    const token = await sign(privateKey);
    expect(await ask(token)).toBe('keys-unavailable');
    serve(await setOf([publicKey, {}]));
    expect(await ask(token)).toEqual({});
  });

  test.each(['identity', 'gzip'])('that sends an endless response (%s) is cut off near the limit', async (coding) => {
    let sent = 0;
    const block = Buffer.alloc(64 * 1024, ' ');
    const packed = gzipSync(Buffer.alloc(64 * 1024 * 1024, ' '));
    const over = Promise.withResolvers<void>();
    answer = (_request, response) => {
      response.on('close', over.resolve);
      if (coding === 'gzip') return response.writeHead(200, { 'content-encoding': coding }).end(packed);
      const more = () => {
        while (!response.destroyed && response.write(block)) sent += block.length;
      };
      response.on('drain', more);
      return more();
    };
    const reasons: string[] = [];
    const ask = gate(fetched({ failed: (one) => reasons.push(one) }));
    expect(await ask(await sign(privateKey))).toBe('keys-unavailable');
    await over.promise;
    expect(reasons).toEqual([`it is longer than ${keySetLimits.bytes} bytes`]);
    // Plus what the buffers of both sockets hold.
    expect(sent).toBeLessThan(16 * 1024 * 1024);
  });

  test('that fails is not requested again for a while', async () => {
    answer = (_request, response) => response.writeHead(500).end();
    let time = 0;
    let failures = 0;
    const set = fetched({ limits: { pause: 5000 }, clock: () => time, failed: () => failures++ });
    const ask = gate(set);
    const tokens = await Promise.all(Array.from({ length: 200 }, (_, at) => sign(privateKey, { kid: String(at) })));
    const together = await Promise.all(tokens.map(ask));
    expect(new Set(together)).toEqual(new Set(['keys-unavailable']));
    for (const token of tokens) expect(await ask(token)).toBe('keys-unavailable');
    expect([asked, failures]).toEqual([1, 1]);
    time = 4999;
    expect(await ask(tokens[0] ?? '')).toBe('keys-unavailable');
    expect(asked).toBe(1);
    time = 5000;
    serve(await setOf([publicKey, { kid: '0' }]));
    expect(await ask(tokens[0] ?? '')).toEqual({});
    expect(asked).toBe(2);
  });

  test('that is unreachable is reported with the cause', async () => {
    const reasons: string[] = [];
    const nowhere = remoteKeySet(new URL('http://127.0.0.1:9/'), { failed: (one) => reasons.push(one) });
    expect(await gate(nowhere)(await sign(privateKey))).toBe('keys-unavailable');
    expect(reasons).toEqual([expect.stringMatching(/fetch failed: .+/)]);
  });

  test('is neither requested nor blamed for errors found without it', async () => {
    const ask = gate(fetched());
    const other = await sign(new TextEncoder().encode(secret), { alg: 'HS256' });
    for (const bad of ['a.b.c', '..', 'x', other]) expect(await ask(bad)).toBe('token-invalid');
    expect(asked).toBe(0);
  });

  test('that works is requested once for all concurrent joins', async () => {
    serve(await setOf([publicKey, {}]));
    const ask = gate(fetched());
    const token = await sign(privateKey);
    expect(await Promise.all(Array.from({ length: 50 }, () => ask(token)))).toEqual(
      Array.from({ length: 50 }, () => ({})),
    );
    expect(asked).toBe(1);
  });
});
