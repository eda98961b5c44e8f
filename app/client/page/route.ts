/** Between the address bar and the page's two places: the start page and a room. */

export type Route = { is: 'landing' } | { is: 'room'; room: string } | { is: 'bad-room' };

/** Letters (with their marks), digits, `-` and `_` of any script, as the protocol's room names. */
const roomName = /^[\p{L}\p{M}\p{N}_-]{1,64}$/u;
const letters = /^[\p{L}\p{M}\p{N}_-]*$/u;

export type RoomNameProblem = 'missing' | 'invalid' | 'too-long';

/** What is wrong with a room name that somebody typed; undefined when nothing is. */
export const roomNameProblem = (name: string): RoomNameProblem | undefined => {
  if (name === '') return 'missing';
  if (!letters.test(name)) return 'invalid';
  return roomName.test(name) ? undefined : 'too-long';
};

/** A typed name as the protocol has it. */
export const normalRoomName = (typed: string): string => typed.trim().normalize('NFC');

/** The place that `url` names, below `base`. */
export const routeOf = (url: string, base: string): Route => {
  const path = new URL(url).pathname.slice(new URL(base).pathname.length);
  const match = /^rooms\/([^/]+)\/?$/.exec(path);
  if (!match?.[1]) return { is: 'landing' };
  try {
    const room = normalRoomName(decodeURIComponent(match[1]));
    return roomNameProblem(room) ? { is: 'bad-room' } : { is: 'room', room };
  } catch {
    // A stray % is no room name either.
    return { is: 'bad-room' };
  }
};

/** The token in the fragment of `url` (`#token=…`), and the address that may be shown: the same without it. */
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

/** The address of a room below `base`. */
export const roomUrl = (room: string, base: string): string => new URL(`rooms/${encodeURIComponent(room)}`, base).href;

/** Crockford's base 32: no letter that is taken for a digit. */
const alphabet = '0123456789abcdefghjkmnpqrstvwxyz';

/** A name that cannot be guessed: 80 random bits, in four groups that can be read out. */
export const newRoomName = (): string => {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  const drawn = Array.from(bytes, (byte) => alphabet.charAt(byte & 31)).join('');
  return drawn.replace(/(.{4})(?=.)/g, '$1-');
};
