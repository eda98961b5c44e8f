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

/** A text for each room. It survives a reload, but not the tab; without sessionStorage it lasts as long as the page. */
const textsOfTab = (name: string) => {
  const texts = new Map<string, string>();
  const keyOf = (room: string) => `genkan.${name}.${room}`;
  const inStorage = <T>(use: (storage: Storage) => T): T | undefined => {
    try {
      return use(sessionStorage);
    } catch {
      return undefined;
    }
  };
  return {
    get: (room: string): string | undefined => inStorage((storage) => storage.getItem(keyOf(room))) ?? texts.get(room),
    set(room: string, text: string): void {
      texts.set(room, text);
      inStorage((storage) => storage.setItem(keyOf(room), text));
    },
    delete(room: string): void {
      texts.delete(room);
      inStorage((storage) => storage.removeItem(keyOf(room)));
    },
  };
};

const tokens = textsOfTab('token');
export const recallToken = tokens.get;
export const rememberToken = tokens.set;

/** The sessions of rooms that this tab has created and not joined yet. */
const created = textsOfTab('created');
export const rememberCreated = created.set;
/** Removes and returns it; undefined if there is none. */
export const takeCreated = (room: string): string | undefined => {
  const session = created.get(room);
  created.delete(room);
  return session;
};

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
    // As for remember().
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
