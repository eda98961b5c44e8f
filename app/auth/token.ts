/** Who may come in: what a token (JSON Web Token, RFC 7519) grants its bearer in a room, or why it grants nothing. */
import { errors, type JWTPayload, type JWTVerifyOptions, jwtVerify } from 'jose';
import { z } from 'zod';
import { type Refusal, refuse } from '../protocol/errors.ts';
import { ownName, type Role, type RoomName, role, roomName } from '../protocol/messages.ts';
import { KeysUnavailable, type VerificationKey } from './keys.ts';

/** What a peer is allowed. `once`: the token lets in one peer; `id` names it until `until` (ms since 1970). */
export type Grant = {
  role?: Role | undefined;
  name?: string | undefined;
  subject?: string | undefined;
  once?: { id: string; until: number } | undefined;
};

/** @param now ms since 1970 */
export type TokenVerifier = (token: string | undefined, room: RoomName, now: number) => Promise<Grant | Refusal>;

export type TokenVerifierOptions = {
  /** Whether nobody comes in without a token. */
  required: boolean;
  /** Without any, tokens are not looked at. */
  keys: VerificationKey[];
  issuer?: string | undefined;
  audience?: string | undefined;
  /** Seconds by which clocks may differ. */
  leeway: number;
};

/** A room by its name, or all whose names begin with what stands before a last `*`. */
export const roomPattern = z
  .string()
  .normalize('NFC')
  .refine(
    (pattern) => pattern === '*' || roomName.safeParse(pattern.replace(/\*$/, '')).success,
    'neither the name of a room nor the beginning of one with "*" after it',
  );

/**
 * The claims that count. `exp` must be there: a token that never ends could never be taken back. With `once` there must
 * be a `jti` to know it by.
 */
export const claims = z
  .object({
    room: z.union([roomPattern, z.array(roomPattern).min(1)]),
    role: role.optional(),
    name: ownName.optional(),
    sub: z.string().max(256).optional(),
    iss: z.string().optional(),
    exp: z.number(),
    jti: z.string().min(1).max(256).optional(),
    once: z.boolean().optional(),
  })
  .refine(({ once, jti }) => !once || jti !== undefined, { path: ['jti'], error: 'once needs it' });

export const createTokenVerifier = ({
  required,
  keys,
  issuer,
  audience,
  leeway,
}: TokenVerifierOptions): TokenVerifier => {
  const wanted = {
    requiredClaims: ['exp'],
    clockTolerance: leeway,
    ...(issuer === undefined ? {} : { issuer }),
    ...(audience === undefined ? {} : { audience }),
  };
  return async (token, room, now) => {
    if (!token) return required ? refuse('token-missing') : {};
    // An open house without keys asks nobody for anything.
    if (keys.length === 0) return {};
    const verified = await verify(token, keys, { ...wanted, currentDate: new Date(now) });
    return 'refused' in verified ? verified : read(verified.payload, room, leeway);
  };
};

type Verified = { payload: JWTPayload } | Refusal;

const verify = async (token: string, keys: VerificationKey[], options: JWTVerifyOptions): Promise<Verified> => {
  for (const { algorithms, find } of keys) {
    const outcome = await tryKey(token, find, { ...options, algorithms });
    if (outcome) return outcome;
  }
  return refuse('token-invalid', 'none of the keys of this server fits');
};

/** Undefined when this is not the key it was signed with. */
const tryKey = async (
  token: string,
  find: VerificationKey['find'],
  options: JWTVerifyOptions,
): Promise<Verified | undefined> => {
  try {
    return { payload: (await jwtVerify(token, find, options)).payload };
  } catch (error) {
    if (error instanceof KeysUnavailable) return refuse('keys-unavailable');
    // A set may have several keys of one kind, and the token need not say which.
    if (error instanceof errors.JWKSMultipleMatchingKeys) {
      let tries = 0;
      for await (const key of error) {
        tries += 1;
        if (tries > mostTries) return refuse('token-invalid', 'several keys fit, and it does not name one ("kid")');
        const outcome = await tryKey(token, async () => key, options);
        if (outcome) return outcome;
      }
      return undefined;
    }
    return anotherKey.some((kind) => error instanceof kind) ? undefined : why(error);
  }
};
/**
 * Keys that are tried when a token does not say by which it was signed: enough for one that is being replaced, and few, because
 * each costs a signature check. OpenID Connect Core, section 10.1, asks for a `kid` wherever there is more than one key.
 */
const mostTries = 4;
const anotherKey = [
  errors.JOSEAlgNotAllowed,
  errors.JOSENotSupported,
  errors.JWKSNoMatchingKey,
  errors.JWSSignatureVerificationFailed,
];

/** Names claims, never what they say: what the token holds is its bearer's. */
const why = (error: unknown): Refusal => {
  if (error instanceof errors.JWTExpired) return refuse('token-expired');
  if (!(error instanceof errors.JWTClaimValidationFailed)) return refuse('token-invalid', 'it is no signed JWT');
  if (error.claim === 'nbf' && error.reason === 'check_failed') return refuse('token-not-yet-valid');
  return refuse('token-invalid', `"${error.claim}" is ${error.reason === 'missing' ? 'missing' : 'not as it must be'}`);
};

const read = (payload: JWTPayload, room: RoomName, leeway: number): Grant | Refusal => {
  const sound = claims.safeParse(payload);
  if (!sound.success)
    return refuse('token-invalid', `"${String(sound.error.issues[0]?.path[0])}" is not as it must be`);
  const { room: patterns, role, name, sub, iss = '', jti, once, exp } = sound.data;
  if (![patterns].flat().some((pattern) => covers(pattern, room))) return refuse('token-wrong-room');
  return {
    role,
    name,
    subject: sub,
    ...(once ? { once: { id: JSON.stringify([iss, jti]), until: (exp + leeway) * 1000 } } : {}),
  };
};

const covers = (pattern: string, room: RoomName): boolean =>
  pattern.endsWith('*') ? room.startsWith(pattern.slice(0, -1)) : pattern === room;
