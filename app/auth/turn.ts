/** The STUN and TURN servers for a peer, with short-lived TURN credentials. */
import { createHmac } from 'node:crypto';
import { largestNetwork } from '../budgets/address.ts';
import type { IceServer, PeerId } from '../protocol/messages.ts';

/** `secret`: shared with the TURN server. `life`: of a credential, in ms. `names`: user names per network. */
export type Turn = { urls: string[]; secret: string; life: number; names: number };
/** `renewAt`: when the peer needs a new set, in ms since 1970; Infinity if the set has no credentials. */
export type IceSet = { servers: IceServer[]; renewAt: number };

/**
 * A set is replaced at half of its life, which leaves time to send it and for the peer to move to a new relay.
 * @param now ms since 1970
 */
export const iceSet = (
  stunUrls: string[],
  turn: Turn | undefined,
  peer: PeerId,
  network: string | undefined,
  now: number,
): IceSet => {
  const stun = stunUrls.length > 0 ? [{ urls: stunUrls }] : [];
  if (!turn) return { servers: stun, renewAt: Number.POSITIVE_INFINITY };
  const relay = { urls: turn.urls, ...turnCredential(turn, peer, network, now + turn.life) };
  return { servers: [...stun, relay], renewAt: now + turn.life / 2 };
};

/**
 * A credential of the TURN REST scheme (draft-uberti-behave-turn-rest-00, section 2.2), as checked by coturn's use-auth-secret:
 * username `expiry:name`, credential base64(HMAC-SHA1(secret, username)). `expiry` is in seconds since 1970. coturn counts
 * allocations by `name` (user-quota). A network (IPv4 address, IPv6 /48) has a fixed number of names, over which its peers are
 * spread, so joining repeatedly does not yield more allocations. TURN sends usernames in the clear and servers log them, so a
 * name is a keyed hash of the network.
 * @param expires ms since 1970
 */
export const turnCredential = (
  { secret, names }: Pick<Turn, 'secret' | 'names'>,
  peer: PeerId,
  network: string | undefined,
  expires: number,
): { username: string; credential: string } => {
  const hash = (text: string) => createHmac('sha256', secret).update(text).digest();
  const slot = hash(peer).readUInt32BE() % names;
  // If addresses are unknown, all peers would share the names of one network.
  const owner = network ? `${largestNetwork(network)} ${slot}` : peer;
  const name = hash(owner).toString('base64url').slice(0, 22);
  const username = `${Math.floor(expires / 1000)}:${name}`;
  return { username, credential: createHmac('sha1', secret).update(username).digest('base64') };
};
