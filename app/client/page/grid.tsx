/** The tiles of a call, as large as the space allows. */
import type { ComponentChildren } from 'preact';
import { useLayoutEffect, useRef } from 'preact/hooks';
import { tileSize } from './layout.ts';
import { words } from './words.ts';

const gap = 8;

export const Grid = ({ count, children }: { count: number; children: ComponentChildren }) => {
  const list = useRef<HTMLUListElement>(null);
  useLayoutEffect(() => {
    const element = list.current;
    if (!element) return;
    const arrange = () => {
      const { width, height } = tileSize({ width: element.clientWidth, height: element.clientHeight }, count, gap);
      element.style.setProperty('--tile-width', `${width}px`);
      element.style.setProperty('--tile-height', `${height}px`);
    };
    const observer = new ResizeObserver(arrange);
    observer.observe(element);
    arrange();
    return () => observer.disconnect();
  }, [count]);
  return (
    <ul ref={list} class="grid" aria-label={words.call.people}>
      {children}
    </ul>
  );
};
