/** Which STUN and TURN servers a peer is told of, with credentials of its own that age out. */
import { createHmac } from 'node:crypto';
import { largestNetwork } from '../budgets/address.ts';
import type { IceServer, PeerId } from '../protocol/messages.ts';

/** `secret` is shared with the TURN server; `life` of a credential in ms; `names` that one network may use there. */
export type Turn = { urls: string[]; secret: string; life: number; names: number };
/** `renewAt`: when the peer is to be given another set, ms since 1970; Infinity when nothing in it ages. */
export type IceSet = { servers: IceServer[]; renewAt: number };

/**
 * A set is replaced when half of its life is left: time to tell the peer, and for the peer to move to a new relay.
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
 * A credential of the TURN REST scheme (draft-uberti-behave-turn-rest-00, section 2.2), which coturn's use-auth-secret
 * checks: username `expiry:name`, credential base64(HMAC-SHA1(secret, username)). `expiry` is in seconds since 1970. coturn
 * counts allocations by `name` (user-quota), so a network (an IPv4 address, an IPv6 /48) has a fixed number of names, over
 * which its peers are spread: however often somebody joins, more allocations than those of its names are not to be had. TURN
 * sends usernames in the clear and servers log them: a name is a hash of the network that only the secret makes.
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
  // Where addresses are unknown, all peers would share the names of one.
  const owner = network ? `${largestNetwork(network)} ${slot}` : peer;
  const name = hash(owner).toString('base64url').slice(0, 22);
  const username = `${Math.floor(expires / 1000)}:${name}`;
  return { username, credential: createHmac('sha1', secret).update(username).digest('base64') };
};
