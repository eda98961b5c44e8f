/** Signs tokens: the counterpart of token.ts. */
import { randomBytes } from 'node:crypto';
import { SignJWT } from 'jose';
import { z } from 'zod';
import { role, visibleName } from '../protocol/messages.ts';
import type { SigningKey } from './keys.ts';
import { roomPattern } from './token.ts';

/** `90s`, `10m`, `1h`, `7d` → seconds. */
const duration = z
  .string()
  .regex(/^\d{1,6}[smhd]$/, 'must be a duration such as 90s, 10m, 1h or 7d')
  .transform((text) => Number(text.slice(0, -1)) * (unitSeconds[text.slice(-1)] ?? 1));
const unitSeconds: Record<string, number> = { s: 1, m: 60, h: 3600, d: 86_400 };

/** A token request, as on the command line. `ttl` counts from `not-before`. */
export const tokenRequest = z.object({
  room: z.array(roomPattern).min(1, 'is required'),
  role: role.optional(),
  name: visibleName.optional(),
  subject: z.string().min(1).max(256).optional(),
  ttl: duration.refine((seconds) => seconds > 0, 'must be longer than 0').default(3600),
  'not-before': duration.optional(),
  once: z.boolean().default(false),
});
type TokenRequest = z.infer<typeof tokenRequest>;

/** @param now ms since 1970 */
export const signToken = (
  request: TokenRequest,
  { algorithm, key }: SigningKey,
  { issuer, audience }: { issuer?: string | undefined; audience?: string | undefined },
  now: number,
): Promise<string> => {
  const { room, role, name, subject, ttl, 'not-before': delay, once } = request;
  const issued = Math.floor(now / 1000);
  const begins = issued + (delay ?? 0);
  const claims = {
    // A single room is written as a string, so that other readers need not support lists.
    room: room.length === 1 ? room[0] : room,
    role,
    name,
    ...(subject === undefined ? {} : { sub: subject }),
    ...(issuer === undefined ? {} : { iss: issuer }),
    ...(audience === undefined ? {} : { aud: audience }),
    iat: issued,
    ...(delay === undefined ? {} : { nbf: begins }),
    exp: begins + ttl,
    ...(once ? { once, jti: randomBytes(16).toString('base64url') } : {}),
  };
  return new SignJWT(claims).setProtectedHeader({ alg: algorithm, typ: 'JWT' }).sign(key);
};
