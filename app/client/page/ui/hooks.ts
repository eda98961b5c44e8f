/** Between the page's components and what changes outside of them. */
import type { RefObject } from 'preact';
import { useEffect, useLayoutEffect, useReducer, useRef } from 'preact/hooks';

/** Renders again after every change of `source`; a layout effect, so that no change slips between render and listening. */
export const useChanges = (source: { onChange(listener: () => void): () => void }): void => {
  const [, again] = useReducer<number, undefined>((count) => count + 1, 0);
  useLayoutEffect(() => source.onChange(() => again(undefined)), [source]);
};

/** For the heading of a view: focused when the view appears, so that screen readers and Tab begin there. */
export const useFirstFocus = <Target extends HTMLElement>(): RefObject<Target | null> => {
  const target = useRef<Target>(null);
  useEffect(() => target.current?.focus({ preventScroll: true }), []);
  return target;
};

/** The document's title while the view is shown. */
export const useTitle = (title: string): void => {
  useEffect(() => {
    document.title = title;
  }, [title]);
};
