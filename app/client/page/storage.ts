/** Browser storage. Local: name, devices, shortcuts, rooms, language. Per tab: tokens, and the seat across a reload. */

type StorageKey = 'name' | 'camera' | 'microphone' | 'speaker' | 'shortcuts' | 'recent' | 'language';

/** The stored value, or ''. */
export const recall = (key: StorageKey): string => {
  try {
    return localStorage.getItem(`genkan.${key}`) ?? '';
  } catch {
    return '';
  }
};

export const remember = (key: StorageKey, value: string): void => {
  try {
    localStorage.setItem(`genkan.${key}`, value);
  } catch {
    // Storage may be blocked; the choice then lasts as long as the page.
  }
};

/** The token for a room, or undefined. It survives a reload, but not the tab. */
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

/** The session of a room that this tab has created and not joined yet. It survives a reload, but not the tab. */
export const rememberCreated = (room: string, session: string): void => {
  sessions.set(room, session);
  try {
    sessionStorage.setItem(`genkan.created.${room}`, session);
  } catch {
    // As above.
  }
};

/** Removes and returns it; undefined if there is none. */
export const takeCreated = (room: string): string | undefined => {
  const known = sessions.get(room);
  sessions.delete(room);
  try {
    const stored = sessionStorage.getItem(`genkan.created.${room}`);
    sessionStorage.removeItem(`genkan.created.${room}`);
    return known ?? stored ?? undefined;
  } catch {
    return known;
  }
};
const sessions = new Map<string, string>();

/** Recently joined rooms, newest first. */
export const recentRooms = (): string[] => recall('recent').split(' ').filter(Boolean);

/** Keeps the last five, separated by spaces, which room names cannot contain. */
export const rememberRoom = (room: string): void => {
  const otherRooms = recentRooms().filter((other) => other !== room);
  remember('recent', [room, ...otherRooms].slice(0, 5).join(' '));
};

export const forgetRooms = (): void => remember('recent', '');

/** What a page that is reloaded during a call needs to resume its session. `session` is a secret. */
export type Seat = { room: string; session: string; name: string; camera: boolean; microphone: boolean; at: number };

/** Milliseconds. A tab reopened later must not rejoin the call without asking. */
const seatLifetime = 60_000;

export const keepSeat = (seat: Omit<Seat, 'at'>): void => {
  try {
    sessionStorage.setItem('genkan.seat', JSON.stringify({ ...seat, at: Date.now() }));
  } catch {
    // As above.
  }
};

/** Removes the stored seat and returns it if it is in `room`. Removed, because a duplicated tab copies sessionStorage. */
export const takeSeat = (room: string): Seat | undefined => {
  try {
    const stored = sessionStorage.getItem('genkan.seat');
    sessionStorage.removeItem('genkan.seat');
    const seat: unknown = JSON.parse(stored ?? 'null');
    return isSeat(seat) && seat.room === room && Date.now() - seat.at < seatLifetime ? seat : undefined;
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
