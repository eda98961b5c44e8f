/** Token verification: what a token (JSON Web Token, RFC 7519) grants its bearer in a room, or why it is refused. */
import { errors, type JWTPayload, type JWTVerifyOptions, jwtVerify } from 'jose';
import { z } from 'zod';
import { type Refusal, refuse } from '../protocol/errors.ts';
import { ownName, type Role, type RoomName, role, roomName } from '../protocol/messages.ts';
import { KeysUnavailable, type VerificationKey } from './keys.ts';

/** What a token grants. `once`: valid for a single join; `id` identifies the token until `until` (ms since 1970). */
export type Grant = {
  role?: Role | undefined;
  name?: string | undefined;
  subject?: string | undefined;
  once?: { id: string; until: number } | undefined;
};

/** @param now ms since 1970 */
export type TokenVerifier = (token: string | undefined, room: RoomName, now: number) => Promise<Grant | Refusal>;

export type TokenVerifierOptions = {
  /** Whether a token is required to join. */
  required: boolean;
  /** If empty, tokens are ignored. */
  keys: VerificationKey[];
  issuer?: string | undefined;
  audience?: string | undefined;
  /** Accepted clock difference in seconds. */
  leeway: number;
};

/** A room name, or a prefix followed by `*`. */
export const roomPattern = z
  .string()
  .normalize('NFC')
  .refine(
    (pattern) => pattern === '*' || roomName.safeParse(pattern.replace(/\*$/, '')).success,
    'must be the name of a room, or the start of names followed by "*"',
  );

/**
 * The claims that are used. `exp` is required, because tokens cannot be revoked. `once` requires a `jti`, which identifies the
 * token.
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
  const options = {
    requiredClaims: ['exp'],
    clockTolerance: leeway,
    ...(issuer === undefined ? {} : { issuer }),
    ...(audience === undefined ? {} : { audience }),
  };
  return async (token, room, now) => {
    if (!token) return required ? refuse('token-missing') : {};
    // Without keys tokens cannot be verified, and everyone may join.
    if (keys.length === 0) return {};
    const verified = await verify(token, keys, { ...options, currentDate: new Date(now) });
    return 'refused' in verified ? verified : grantFrom(verified.payload, room, leeway);
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

/** Undefined if the token was not signed with this key. */
const tryKey = async (
  token: string,
  find: VerificationKey['find'],
  options: JWTVerifyOptions,
): Promise<Verified | undefined> => {
  try {
    return { payload: (await jwtVerify(token, find, options)).payload };
  } catch (error) {
    if (error instanceof KeysUnavailable) return refuse('keys-unavailable');
    // A set may have several keys of one type, and the token may not name one.
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
    return wrongKeyErrors.some((kind) => error instanceof kind) ? undefined : verificationRefusal(error);
  }
};
/**
 * Keys to try for a token without `kid`: enough for key rotation, and few, because each costs a signature check. OpenID Connect
 * Core, section 10.1, requires a `kid` if there is more than one key.
 */
const mostTries = 4;
const wrongKeyErrors = [
  errors.JOSEAlgNotAllowed,
  errors.JOSENotSupported,
  errors.JWKSNoMatchingKey,
  errors.JWSSignatureVerificationFailed,
];

/** Names claims but never their values, which are private to the bearer. */
const verificationRefusal = (error: unknown): Refusal => {
  if (error instanceof errors.JWTExpired) return refuse('token-expired');
  if (!(error instanceof errors.JWTClaimValidationFailed)) return refuse('token-invalid', 'it is no signed JWT');
  if (error.claim === 'nbf' && error.reason === 'check_failed') return refuse('token-not-yet-valid');
  return refuse('token-invalid', `"${error.claim}" is ${error.reason === 'missing' ? 'missing' : 'not as it must be'}`);
};

const grantFrom = (payload: JWTPayload, room: RoomName, leeway: number): Grant | Refusal => {
  const parsed = claims.safeParse(payload);
  if (!parsed.success)
    return refuse('token-invalid', `"${String(parsed.error.issues[0]?.path[0])}" is not as it must be`);
  const { room: patterns, role, name, sub, iss = '', jti, once, exp } = parsed.data;
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
