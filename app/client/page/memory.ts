/** What this browser remembers: between visits the caller's name and devices, in one tab the tokens it was opened with. */

type Remembered = 'name' | 'camera' | 'microphone';

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
