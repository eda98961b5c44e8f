/** Hooks that connect components to state outside of them. */
import type { RefObject } from 'preact';
import { useEffect, useLayoutEffect, useReducer, useRef } from 'preact/hooks';

/** Re-renders after every change of `source`. A layout effect, so that no change between render and subscription is missed. */
export const useChanges = (source: { onChange(listener: () => void): () => void }): void => {
  const [, rerender] = useReducer<number, undefined>((count) => count + 1, 0);
  useLayoutEffect(() => source.onChange(() => rerender(undefined)), [source]);
};

/** For the heading of a view: focused when the view appears, so that screen readers and Tab start there. */
export const useFirstFocus = <Target extends HTMLElement>(): RefObject<Target | null> => {
  const target = useRef<Target>(null);
  useEffect(() => target.current?.focus({ preventScroll: true }), []);
  return target;
};

/** Sets the document's title. */
export const useTitle = (title: string): void => {
  useEffect(() => {
    document.title = title;
  }, [title]);
};
