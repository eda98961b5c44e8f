/** Authorization: what a token grants, by every kind of key, and each way in which it grants nothing. */
import { createHmac, createPrivateKey, generateKeyPairSync, type KeyObject } from 'node:crypto';
import { type JWTPayload, SignJWT } from 'jose';
import { describe, expect, test } from 'vitest';
import { keySet, privateKey, publicKey, secretKey } from '../../app/auth/keys.ts';
import { createTokenVerifier, type TokenVerifierOptions } from '../../app/auth/token.ts';

const now = 1_800_000_000_000;
const second = now / 1000;
const secret = 'k'.repeat(32);
const bytes = (text: string) => new TextEncoder().encode(text);
const pairs = {
  ed: generateKeyPairSync('ed25519'),
  ec: generateKeyPairSync('ec', { namedCurve: 'P-256' }),
  rsa: generateKeyPairSync('rsa', { modulusLength: 2048 }),
};
const pemOf = (key: KeyObject) =>
  key.export({ type: key.type === 'public' ? 'spki' : 'pkcs8', format: 'pem' }).toString();

type Claims = JWTPayload & Record<string, unknown>;
const sign = (claims: Claims, key: KeyObject | Uint8Array = bytes(secret), alg = 'HS256', head: object = {}) =>
  new SignJWT({ room: 'hall', exp: second + 60, ...claims }).setProtectedHeader({ alg, ...head }).sign(key);
const gate = (keeping: Partial<TokenVerifierOptions> = {}) => {
  const ask = createTokenVerifier({ required: true, keys: [secretKey(secret)], leeway: 5, ...keeping });
  return (token: string | undefined, room = 'hall', at = now) => ask(token, room, at);
};
/** The error code alone, or the grant. */
const outcome = async (answer: ReturnType<ReturnType<typeof gate>>) => {
  const result = await answer;
  return 'refused' in result ? result.refused : result;
};

describe('a token', () => {
  test('grants role, name and subject, and a single join if it says so', async () => {
    const claims = { role: 'host', name: ' Aiko ', sub: 'staff-7', jti: 'j1', once: true, iss: 'school' };
    expect(await gate()(await sign(claims))).toEqual({
      role: 'host',
      name: 'Aiko',
      subject: 'staff-7',
      once: { id: '["school","j1"]', until: now + 65_000 },
    });
    expect(await gate()(await sign({ jti: 'j1', refused: 'not a refusal' }))).toEqual({});
  });

  test.each([
    ['hall', 'hall', {}],
    ['hall', 'hal', 'token-wrong-room'],
    ['hall', 'halls', 'token-wrong-room'],
    [['a', 'hall'], 'hall', {}],
    [['a', 'b'], 'hall', 'token-wrong-room'],
    ['class-*', 'class-7', {}],
    ['class-*', 'class-', {}],
    ['class-*', 'class', 'token-wrong-room'],
    ['class-*', 'my-class-7', 'token-wrong-room'],
    [['a', 'class-*'], 'class-7b', {}],
    ['*', 'anything', {}],
    ['e\u0301cole', '\u00e9cole', {}],
    ['cl*ss', 'class', 'token-invalid'],
    ['**', 'class', 'token-invalid'],
    ['', 'class', 'token-invalid'],
    [[], 'class', 'token-invalid'],
    [7, 'class', 'token-invalid'],
    [null, 'class', 'token-invalid'],
  ])('for room %j in room %s: %j', async (room, entered, expected) => {
    expect(await outcome(gate()(await sign({ room }), entered))).toEqual(expected);
  });

  test('is valid from nbf to exp, with the leeway at both ends and not a second more', async () => {
    const token = await sign({ nbf: second, exp: second + 60 });
    const at = (seconds: number, leeway = 5) => outcome(gate({ leeway })(token, 'hall', now + seconds * 1000));
    expect(await at(-6)).toBe('token-not-yet-valid');
    expect(await at(-5)).toEqual({});
    expect(await at(64)).toEqual({});
    expect(await at(64.999)).toEqual({});
    expect(await at(65)).toBe('token-expired');
    expect(await at(-1, 0)).toBe('token-not-yet-valid');
    expect(await at(0, 0)).toEqual({});
    expect(await at(59, 0)).toEqual({});
    expect(await at(60, 0)).toBe('token-expired');
  });

  test.each([
    ['without exp', { exp: undefined }, '"exp" is missing'],
    ['with an exp that is not a number', { exp: 'tomorrow' }, '"exp" is not as it must be'],
    ['with an nbf that is not a number', { nbf: 'now' }, '"nbf" is not as it must be'],
    ['with an unknown role', { role: 'king' }, '"role" is not as it must be'],
    ['with a name of control characters', { name: 'a\u0007b' }, '"name" is not as it must be'],
    ['for a single use without a jti', { once: true }, '"jti" is not as it must be'],
    ['without a room', { room: undefined }, '"room" is not as it must be'],
  ])('%s is refused; the error names the claim but not its value', async (_case, claims, detail) => {
    expect(await gate()(await sign(claims as Claims))).toEqual({ refused: 'token-invalid', detail });
  });

  test('must name issuer and audience if these are required', async () => {
    const ask = gate({ issuer: 'school', audience: 'genkan' });
    expect(await ask(await sign({ iss: 'school', aud: ['other', 'genkan'] }))).toEqual({});
    const refused = async (claims: Claims) => ask(await sign(claims));
    expect(await refused({ aud: 'genkan' })).toEqual({ refused: 'token-invalid', detail: '"iss" is missing' });
    expect(await refused({ iss: 'school' })).toEqual({ refused: 'token-invalid', detail: '"aud" is missing' });
    expect(await refused({ iss: 'school', aud: 'x' })).toMatchObject({ detail: '"aud" is not as it must be' });
    expect(await refused({ iss: 'x', aud: 'genkan' })).toMatchObject({ detail: '"iss" is not as it must be' });
  });

  test('is optional or required, and is checked whenever there are keys', async () => {
    const bad = 'a.b.c';
    const keys = [secretKey(secret)];
    expect(await outcome(gate()(undefined))).toBe('token-missing');
    expect(await outcome(gate()(''))).toBe('token-missing');
    expect(await gate({ required: false, keys })(undefined)).toEqual({});
    expect(await gate({ required: false, keys })(await sign({ role: 'host' }))).toEqual({ role: 'host' });
    expect(await outcome(gate({ required: false, keys })(bad))).toBe('token-invalid');
    expect(await gate({ required: false, keys: [] })(bad)).toEqual({});
  });
});

describe('a signature', () => {
  const kinds = [
    ['HS256', secretKey(secret), bytes(secret), ['HS256']],
    ['EdDSA', publicKey(pemOf(pairs.ed.publicKey)), pairs.ed.privateKey, ['EdDSA', 'Ed25519']],
    ['ES256', publicKey(pemOf(pairs.ec.publicKey)), pairs.ec.privateKey, ['ES256']],
    ['RS256', publicKey(pemOf(pairs.rsa.publicKey)), pairs.rsa.privateKey, ['RS256']],
  ] as const;

  test.each(kinds)('by %s is accepted from its key and no other', async (alg, right, key, algorithms) => {
    const token = await sign({ role: 'guest' }, key, alg);
    expect(right.algorithms).toEqual(algorithms);
    expect(await gate({ keys: [right] })(token)).toEqual({ role: 'guest' });
    // The order of keys does not matter.
    expect(await gate({ keys: kinds.map(([, one]) => one) })(token)).toEqual({ role: 'guest' });
    const others = kinds.filter(([name]) => name !== alg).map(([, one]) => one);
    expect(await outcome(gate({ keys: others })(token))).toBe('token-invalid');
  });

  test('of an older or newer secret is accepted while both are configured', async () => {
    const old = 'o'.repeat(32);
    const both = gate({ keys: [secretKey(secret), secretKey(old)] });
    expect(await both(await sign({}, bytes(old)))).toEqual({});
    expect(await both(await sign({}))).toEqual({});
    expect(await outcome(gate()(await sign({}, bytes(old))))).toBe('token-invalid');
    // The error is that of the matching key, not that another did not match.
    expect(await outcome(both(await sign({ exp: second - 60 }, bytes(old))))).toBe('token-expired');
  });

  test('is not verified with the algorithm that the token names', async () => {
    const pem = pemOf(pairs.rsa.publicKey);
    const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
    const claims = part({ room: 'hall', exp: second + 60, role: 'host' });
    const forged = (alg: string, key: string | Buffer) => {
      const signed = `${part({ alg, typ: 'JWT' })}.${claims}`;
      return `${signed}.${createHmac('sha256', key).update(signed).digest('base64url')}`;
    };
    const der = pairs.rsa.publicKey.export({ type: 'spki', format: 'der' });
    const asked = gate({ keys: [publicKey(pem), keySet(async () => pairs.rsa.publicKey)] });
    for (const key of [pem, pem.trim(), der]) expect(await outcome(asked(forged('HS256', key)))).toBe('token-invalid');
    expect(await gate({ keys: [secretKey(secret)] })(forged('HS256', secret))).toEqual({ role: 'host' });
    for (const alg of ['none', 'None', 'HS512', 'RS256', 'dir', ''])
      for (const keys of [[secretKey(secret)], [publicKey(pem)]]) {
        expect(await outcome(gate({ keys })(forged(alg, secret)))).toBe('token-invalid');
        expect(await outcome(gate({ keys })(`${part({ alg })}.${claims}.`))).toBe('token-invalid');
      }
  });

  test('covers every character', async () => {
    const token = await sign({ role: 'guest' });
    const [head = '', payload = '', signature = ''] = token.split('.');
    const claims = JSON.parse(Buffer.from(payload, 'base64url').toString());
    const raised = Buffer.from(JSON.stringify({ ...claims, role: 'host' })).toString('base64url');
    const flip = (text: string) => `${text.startsWith('A') ? 'B' : 'A'}${text.slice(1)}`;
    const tampered = [
      `${head}.${raised}.${signature}`,
      `${flip(head)}.${payload}.${signature}`,
      `${head}.${flip(payload)}.${signature}`,
      `${head}.${payload}.${flip(signature)}`,
      `${head}.${payload}.`,
      `${head}.${payload}`,
      `${token}.${signature}`,
      ` ${token}`,
      'x',
      '..',
      'a.b.c',
      'null',
    ];
    for (const text of tampered) expect(await outcome(gate()(text)), text).toBe('token-invalid');
  });
});

describe('a key', () => {
  test.each([
    ['a private key', pemOf(pairs.ed.privateKey), /holds a private key/],
    ['no key', 'hello', /holds no public key in PEM form/],
    ['a small RSA key', pemOf(generateKeyPairSync('rsa', { modulusLength: 1024 }).publicKey), /RSA with at least 2048/],
    ['another curve', pemOf(generateKeyPairSync('ec', { namedCurve: 'P-384' }).publicKey), /secp384r1/],
    ['a key for encryption', pemOf(generateKeyPairSync('x25519').publicKey), /x25519/],
  ])('that is %s is refused with an error message', (_kind, pem, sentence) => {
    expect(() => publicKey(pem)).toThrow(sentence);
  });
  test('used for signing has the algorithm of its kind, and must not be encrypted', () => {
    expect(privateKey(pemOf(pairs.ec.privateKey)).algorithm).toBe('ES256');
    const locked = pairs.ed.privateKey.export({ type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc', passphrase: 'p' });
    expect(() => privateKey(locked.toString())).toThrow('holds no private key in PEM form without a passphrase');
    expect(() => createPrivateKey(locked)).toThrow();
  });
});
