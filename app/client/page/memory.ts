/** What this browser remembers between visits: the caller's name and devices. */

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
