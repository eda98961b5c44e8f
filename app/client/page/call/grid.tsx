/** The grid of tiles in a call, as large as the space allows. */
import type { ComponentChildren } from 'preact';
import { useLayoutEffect, useRef } from 'preact/hooks';
import { words } from '../i18n/i18n.ts';
import { besideMain, tileSize } from './layout.ts';

const gap = 8;

/** `count`: number of tiles. `main`: whether one of them is large. */
type GridProps = { count: number; main: boolean; children: ComponentChildren };

export const Grid = ({ count, main, children }: GridProps) => {
  const list = useRef<HTMLUListElement>(null);
  useLayoutEffect(() => {
    const element = list.current;
    if (!element) return;
    const arrange = () => {
      const space = { width: element.clientWidth, height: element.clientHeight };
      const sizes = besideMain(space, count - 1, gap);
      const { width, height } = main ? sizes.small : tileSize(space, count, gap);
      const lengths = {
        'tile-width': width,
        'tile-height': height,
        'main-width': sizes.main.width,
        'main-height': sizes.main.height,
      };
      for (const [name, length] of Object.entries(lengths)) element.style.setProperty(`--${name}`, `${length}px`);
      element.dataset.layout = main ? sizes.side : 'grid';
    };
    // Also runs once after the next layout; measuring here would force another one.
    const observer = new ResizeObserver(arrange);
    observer.observe(element);
    return () => observer.disconnect();
  }, [count, main]);
  return (
    <ul ref={list} class="grid" aria-label={words.call.people}>
      {children}
    </ul>
  );
};
