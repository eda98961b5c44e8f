/** Maps URLs to the page's two routes, the start page and a room, and back. */

export type Route = { type: 'landing' } | { type: 'room'; room: string } | { type: 'bad-room' };

/** Letters (with combining marks) and digits of any script, `-` and `_`, as in the protocol's room names. */
const roomName = /^[\p{L}\p{M}\p{N}_-]{1,64}$/u;
const letters = /^[\p{L}\p{M}\p{N}_-]*$/u;

export type RoomNameProblem = 'missing' | 'invalid' | 'too-long';

/** Validates a typed room name. Undefined = valid. */
export const roomNameProblem = (name: string): RoomNameProblem | undefined => {
  if (name === '') return 'missing';
  if (!letters.test(name)) return 'invalid';
  return roomName.test(name) ? undefined : 'too-long';
};

/** A typed name in the protocol's form: trimmed, NFC. */
export const normalRoomName = (typed: string): string => typed.trim().normalize('NFC');

/** The route that `url` names, below `base`. */
export const routeOf = (url: string, base: string): Route => {
  const path = new URL(url).pathname.slice(new URL(base).pathname.length);
  const match = /^rooms\/([^/]+)\/?$/.exec(path);
  if (!match?.[1]) return { type: 'landing' };
  try {
    const room = normalRoomName(decodeURIComponent(match[1]));
    return roomNameProblem(room) ? { type: 'bad-room' } : { type: 'room', room };
  } catch {
    // Malformed percent-encoding is no room name either.
    return { type: 'bad-room' };
  }
};

/** The token in the fragment of `url` (`#token=…`), and `shown`: the URL without it. */
export const takeToken = (url: string): { token: string; shown: string } | undefined => {
  const shown = new URL(url);
  const fields = new URLSearchParams(shown.hash.slice(1));
  const token = fields.get('token');
  if (token === null) return undefined;
  fields.delete('token');
  shown.hash = fields.toString();
  return { token, shown: shown.href };
};

/** `#ice=relay` sends media through a TURN server only; anything else leaves the choice to the browser. */
export const icePolicyOf = (url: string): RTCIceTransportPolicy =>
  new URLSearchParams(new URL(url).hash.slice(1)).get('ice') === 'relay' ? 'relay' : 'all';

/** The URL of a room, below `base`. */
export const roomUrl = (room: string, base: string): string => new URL(`rooms/${encodeURIComponent(room)}`, base).href;

/** Crockford's base 32: no letters that look like digits. */
const alphabet = '0123456789abcdefghjkmnpqrstvwxyz';

/** An unguessable name: 80 random bits, in four groups that can be read aloud. */
export const newRoomName = (): string => {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  const characters = Array.from(bytes, (byte) => alphabet.charAt(byte & 31)).join('');
  return characters.replace(/(.{4})(?=.)/g, '$1-');
};
