/** Listens to the keyboard during a call: shortcuts, and the space bar to talk while it is held. */
import { useEffect } from 'preact/hooks';
import { words } from '../i18n/i18n.ts';
import { recall } from '../storage.ts';
import type { CallModel } from './call-model.ts';
import { isForText, isPressable, type Shortcut, shortcutOf } from './shortcuts.ts';

/** Letters as shortcuts can be switched off: who dictates would press them unawares (WCAG 2.2, 2.1.4). */
export const areShortcutsOn = (): boolean => recall('shortcuts') !== 'off';

export const useShortcuts = (conversation: CallModel, act: (shortcut: Shortcut) => void): void => {
  useEffect(() => {
    const { devices } = conversation;
    let talking = false;
    const hush = () => {
      if (talking) devices.turnOff('microphone');
      talking = false;
    };
    const down = (event: KeyboardEvent) => {
      if (!areShortcutsOn() || isForText(event.target)) return;
      const shortcut = shortcutOf(event);
      if (shortcut) {
        event.preventDefault();
        act(shortcut);
      }
      if (event.key !== ' ' || event.repeat || isPressable(event.target)) return;
      event.preventDefault();
      if (devices.state('microphone').is !== 'muted') return;
      talking = true;
      void devices.toggle('microphone');
      conversation.announce(words.call.talking);
    };
    const up = ({ key }: KeyboardEvent) => key === ' ' && hush();
    addEventListener('keydown', down);
    addEventListener('keyup', up);
    addEventListener('blur', hush);
    return () => {
      hush();
      removeEventListener('keydown', down);
      removeEventListener('keyup', up);
      removeEventListener('blur', hush);
    };
  }, [conversation]);
};
