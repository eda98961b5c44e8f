/** Loads parts of the page on demand or ahead of time, and shows a fallback if that fails. */
import type { ComponentChildren, ComponentType } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { words } from '../i18n/i18n.ts';

type LazyProps<Props> = {
  fetch: () => Promise<ComponentType<Props>>;
  props: Props;
  /** Shown if loading fails. */
  fallback: ComponentChildren;
};
type LoadState<Props> = { state: 'loading' } | { state: 'loaded'; Part: ComponentType<Props> } | { state: 'failed' };

export const Lazy = <Props extends object>({ fetch, props, fallback }: LazyProps<Props>) => {
  const [state, setState] = useState<LoadState<Props>>({ state: 'loading' });
  useEffect(() => {
    let mounted = true;
    const update = (next: LoadState<Props>) => mounted && setState(next);
    fetch().then(
      (Part) => update({ state: 'loaded', Part }),
      () => update({ state: 'failed' }),
    );
    return () => {
      mounted = false;
    };
  }, []);
  if (state.state === 'loaded') return <state.Part {...props} />;
  return <>{state.state === 'failed' && fallback}</>;
};

/** Offers a reload after a part of the page failed to load. */
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
