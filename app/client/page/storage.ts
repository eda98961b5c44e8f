/** What this browser remembers: between visits names, devices, rooms and the language, in one tab its tokens and, while it is loaded again, its seat. */

type Remembered = 'name' | 'camera' | 'microphone' | 'speaker' | 'shortcuts' | 'recent' | 'language';

/** The remembered text, or ''. */
export const recall = (what: Remembered): string => {
  try {
    return localStorage.getItem(`genkan.${what}`) ?? '';
  } catch {
    return '';
  }
};

export const remember = (what: Remembered, value: string): void => {
  try {
    localStorage.setItem(`genkan.${what}`, value);
  } catch {
    // Storage may be forbidden; what was chosen then lasts as long as the page.
  }
};

/** The token for a room, or undefined; it outlives a reload, and is gone with the tab. */
export const recallToken = (room: string): string | undefined => {
  try {
    return sessionStorage.getItem(`genkan.token.${room}`) ?? tokens.get(room);
  } catch {
    return tokens.get(room);
  }
};

export const rememberToken = (room: string, token: string): void => {
  tokens.set(room, token);
  try {
    sessionStorage.setItem(`genkan.token.${room}`, token);
  } catch {
    // As above.
  }
};
const tokens = new Map<string, string>();

/** The rooms that were entered of late, the newest first. */
export const recentRooms = (): string[] => recall('recent').split(' ').filter(Boolean);

/** Room names have no spaces. */
export const rememberRoom = (room: string): void => {
  const others = recentRooms().filter((other) => other !== room);
  remember('recent', [room, ...others].slice(0, 5).join(' '));
};

export const forgetRooms = (): void => remember('recent', '');

/** What a page that goes away in mid-call leaves to the one that is loaded in its place. `session` is a secret. */
export type Seat = { room: string; session: string; name: string; camera: boolean; microphone: boolean; at: number };

/** Nobody expects to be in a call at once in a tab that they open again later. */
const seatLasts = 60_000;

export const keepSeat = (seat: Omit<Seat, 'at'>): void => {
  try {
    sessionStorage.setItem('genkan.seat', JSON.stringify({ ...seat, at: Date.now() }));
  } catch {
    // As above.
  }
};

/** The seat in `room`, if there is one; taken out, since a tab that is duplicated gets a copy of what is stored. */
export const takeSeat = (room: string): Seat | undefined => {
  try {
    const kept = sessionStorage.getItem('genkan.seat');
    sessionStorage.removeItem('genkan.seat');
    const seat: unknown = JSON.parse(kept ?? 'null');
    return isSeat(seat) && seat.room === room && Date.now() - seat.at < seatLasts ? seat : undefined;
  } catch {
    return undefined;
  }
};

const isSeat = (value: unknown): value is Seat =>
  typeof value === 'object' &&
  value !== null &&
  'session' in value &&
  typeof value.session === 'string' &&
  'name' in value &&
  typeof value.name === 'string' &&
  'room' in value &&
  'at' in value &&
  typeof value.at === 'number';
