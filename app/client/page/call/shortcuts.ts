/** Keyboard shortcuts for the buttons of a call. */

export type Shortcut = 'microphone' | 'camera' | 'hand' | 'screen' | 'chat' | 'people' | 'fullScreen' | 'keys';

/** Values of `KeyboardEvent.key`: the character, not the position of the key. */
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

/** The shortcut for a key. Undefined for other keys, and with Ctrl, Alt or ⌘, which belong to the browser. */
export const shortcutOf = ({ key, ctrlKey, metaKey, altKey, repeat }: Pressed): Shortcut | undefined => {
  if (ctrlKey || metaKey || altKey || repeat) return undefined;
  const pressed = key.toLowerCase();
  return (Object.keys(shortcuts) as Shortcut[]).find((shortcut) => shortcuts[shortcut] === pressed);
};

/** Whether the target accepts text, or is in a modal dialog. */
export const isForText = (target: EventTarget | null): boolean =>
  target instanceof Element && target.closest('input, textarea, select, dialog') !== null;

/** Whether the space bar activates the target. */
export const isPressable = (target: EventTarget | null): boolean =>
  target instanceof Element && target.closest('button, a, summary') !== null;

/** Whether the space bar scrolls the target. Browsers focus regions that scroll, with or without `tabindex`. */
export const isScrollable = (target: EventTarget | null): boolean => {
  let element = target instanceof Element ? target : null;
  while (element && !(element.scrollHeight > element.clientHeight && scrolls(element))) element = element.parentElement;
  return element !== null;
};

const scrolls = (element: Element): boolean => ['auto', 'scroll'].includes(getComputedStyle(element).overflowY);
