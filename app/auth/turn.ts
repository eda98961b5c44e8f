/** Which STUN and TURN servers a peer is told of, with credentials of its own that age out. */
import { createHmac } from 'node:crypto';
import type { IceServer, PeerId, RoomName } from '../protocol/messages.ts';

/** `secret` is shared with the TURN server; `life` of a credential in ms. */
export type Turn = { urls: string[]; secret: string; life: number };
/** `renewAt`: when the peer is to be given another set, ms since 1970; Infinity when nothing in it ages. */
export type IceSet = { servers: IceServer[]; renewAt: number };

/**
 * A set is replaced when half of its life is left: time to tell the peer, and for the peer to move to a new relay.
 * @param now ms since 1970
 */
export const iceSet = (
  stunUrls: string[],
  turn: Turn | undefined,
  room: RoomName,
  peer: PeerId,
  now: number,
): IceSet => {
  const stun = stunUrls.length > 0 ? [{ urls: stunUrls }] : [];
  if (!turn) return { servers: stun, renewAt: Number.POSITIVE_INFINITY };
  const relay = { urls: turn.urls, ...turnCredential(turn.secret, room, peer, now + turn.life) };
  return { servers: [...stun, relay], renewAt: now + turn.life / 2 };
};

/**
 * A credential of the TURN REST scheme (draft-uberti-behave-turn-rest-00, section 2.2), which coturn's use-auth-secret
 * checks: username `expiry:room.peer`, credential base64(HMAC-SHA1(secret, username)). `expiry` is in seconds since
 * 1970. TURN sends usernames in the clear and servers log them, and a room's name opens the room, so what stands for
 * the room is a hash of its name that only the secret makes: 16 characters, whatever letters the name has.
 * @param expires ms since 1970
 */
export const turnCredential = (
  secret: string,
  room: RoomName,
  peer: PeerId,
  expires: number,
): { username: string; credential: string } => {
  const place = createHmac('sha256', secret).update(room).digest('base64url').slice(0, 16);
  const username = `${Math.floor(expires / 1000)}:${place}.${peer}`;
  return { username, credential: createHmac('sha1', secret).update(username).digest('base64') };
};
