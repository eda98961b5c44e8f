/** The keyboard in a call: shortcuts, and push-to-talk with the space bar. */
import { useEffect } from 'preact/hooks';
import { words } from '../i18n/i18n.ts';
import { recall } from '../storage.ts';
import type { CallModel } from './call-model.ts';
import { isForText, isPressable, isScrollable, type Shortcut, shortcutOf } from './shortcuts.ts';

/** Single-letter shortcuts can be turned off: speech input triggers them by accident (WCAG 2.2, 2.1.4). */
export const areShortcutsOn = (): boolean => recall('shortcuts') !== 'off';

export const useShortcuts = (model: CallModel, onShortcut: (shortcut: Shortcut) => void): void => {
  useEffect(() => {
    const { devices } = model;
    let talking = false;
    const stopTalking = () => {
      if (talking) devices.turnOff('microphone');
      talking = false;
    };
    const down = (event: KeyboardEvent) => {
      if (!areShortcutsOn() || isForText(event.target)) return;
      const shortcut = shortcutOf(event);
      if (shortcut) {
        event.preventDefault();
        onShortcut(shortcut);
      }
      if (event.key !== ' ' || event.repeat || isPressable(event.target) || isScrollable(event.target)) return;
      event.preventDefault();
      if (devices.state('microphone').state !== 'muted') return;
      talking = true;
      void devices.toggle('microphone');
      model.announce(words.call.talking);
    };
    const up = ({ key }: KeyboardEvent) => key === ' ' && stopTalking();
    addEventListener('keydown', down);
    addEventListener('keyup', up);
    addEventListener('blur', stopTalking);
    return () => {
      stopTalking();
      removeEventListener('keydown', down);
      removeEventListener('keyup', up);
      removeEventListener('blur', stopTalking);
    };
  }, [model]);
};
