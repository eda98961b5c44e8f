/** Parts of the page that are fetched when they are needed, or shortly before; and what is shown where they cannot be. */
import type { ComponentChildren, ComponentType } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { words } from '../i18n/i18n.ts';

export type CallChunk = typeof import('../lobby/call-chunk.ts');

/** Undefined until it was fetched. */
export let inside: CallChunk | undefined;

/** @throws when the server cannot be reached, or has it no more, because it was upgraded */
export const loadCallChunk = async (): Promise<CallChunk> => {
  inside ??= await import('../lobby/call-chunk.ts');
  return inside;
};

type LateProps<Props> = {
  fetch: () => Promise<ComponentType<Props>>;
  props: Props;
  /** In place of what could not be fetched. */
  instead: ComponentChildren;
};
type State<Props> = { is: 'waiting' } | { is: 'there'; Part: ComponentType<Props> } | { is: 'failed' };

export const Lazy = <Props extends object>({ fetch, props, instead }: LateProps<Props>) => {
  const [state, setState] = useState<State<Props>>({ is: 'waiting' });
  useEffect(() => {
    let shown = true;
    const become = (next: State<Props>) => shown && setState(next);
    fetch().then(
      (Part) => become({ is: 'there', Part }),
      () => become({ is: 'failed' }),
    );
    return () => {
      shown = false;
    };
  }, []);
  if (state.is === 'there') return <state.Part {...props} />;
  return <>{state.is === 'failed' && instead}</>;
};

/** What to do when a part of the page could not be fetched. */
export const Outdated = () => (
  <>
    <p class="lead">{words.outdated.text}</p>
    <div class="choices">
      <button type="button" class="button primary" onClick={() => location.reload()}>
        {words.outdated.reload}
      </button>
    </div>
  </>
);
