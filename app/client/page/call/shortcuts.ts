/** Keys that do in a call what its buttons do. */

export type Shortcut = 'microphone' | 'camera' | 'hand' | 'screen' | 'chat' | 'people' | 'fullScreen' | 'keys';

/** As `KeyboardEvent.key` has them, whatever the layout of the keyboard. */
export const shortcuts: Record<Shortcut, string> = {
  microphone: 'm',
  camera: 'v',
  hand: 'h',
  screen: 's',
  chat: 'c',
  people: 'p',
  fullScreen: 'f',
  keys: '?',
};

type Pressed = Pick<KeyboardEvent, 'key' | 'ctrlKey' | 'metaKey' | 'altKey' | 'repeat'>;

/** What the key stands for; undefined for any other, and for keys of the browser, which have Ctrl, Alt or ⌘ with them. */
export const shortcutOf = ({ key, ctrlKey, metaKey, altKey, repeat }: Pressed): Shortcut | undefined => {
  if (ctrlKey || metaKey || altKey || repeat) return undefined;
  const pressed = key.toLowerCase();
  return (Object.keys(shortcuts) as Shortcut[]).find((shortcut) => shortcuts[shortcut] === pressed);
};

/** Where letters are letters, or where a modal dialog has the word. */
export const isForText = (target: EventTarget | null): boolean =>
  target instanceof Element && target.closest('input, textarea, select, dialog') !== null;

/** Where the space bar presses what has the focus. */
export const isPressable = (target: EventTarget | null): boolean =>
  target instanceof Element && target.closest('button, a, summary') !== null;
