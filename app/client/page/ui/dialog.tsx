/** A modal dialog: the browser traps the focus in it, and restores it afterwards. */
import type { ComponentChildren } from 'preact';
import { useLayoutEffect, useRef } from 'preact/hooks';
import { words } from '../i18n/i18n.ts';
import { Icon } from './icons.tsx';

type DialogProps = { title: string; close: () => void; children: ComponentChildren };

export const Dialog = ({ title, close, children }: DialogProps) => {
  const element = useRef<HTMLDialogElement>(null);
  useLayoutEffect(() => {
    const dialog = element.current;
    dialog?.showModal();
    return () => dialog?.close();
  }, []);
  return (
    // biome-ignore lint/a11y/useKeyWithClickEvents: Escape does the same as a click outside the dialog
    <dialog
      ref={element}
      class="dialog"
      aria-labelledby="dialog-title"
      onCancel={close}
      onClick={({ target, currentTarget }) => target === currentTarget && close()}
    >
      <div class="dialog-inside">
        <header class="dialog-head">
          <h2 id="dialog-title">{title}</h2>
          <button type="button" class="control plain" aria-label={words.close} onClick={close}>
            <Icon name="close" />
          </button>
        </header>
        {children}
      </div>
    </dialog>
  );
};
