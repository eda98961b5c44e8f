/** Tile sizes of a call, in CSS pixels. */

export type Size = { width: number; height: number };

/**
 * The largest size at which `count` tiles fit into `space` as a grid, with `gap` between them.
 * Aspect ratios are from 4:3 to 16:9, in portrait spaces from 3:4.
 */
export const tileSize = (space: Size, count: number, gap: number): Size => {
  const lowestRatio = space.height > space.width ? 3 / 4 : 4 / 3;
  let best: Size = { width: 0, height: 0 };
  for (let columns = 1; columns <= Math.max(1, count); columns++) {
    const size = fitTile(space, columns, Math.ceil(count / columns), gap, lowestRatio);
    if (size.width * size.height > best.width * best.height) best = size;
  }
  return best;
};

const fitTile = (space: Size, columns: number, rows: number, gap: number, lowestRatio: number): Size => {
  const width = Math.max(0, (space.width - gap * (columns - 1)) / columns);
  const height = Math.max(0, (space.height - gap * (rows - 1)) / Math.max(1, rows));
  const ratio = Math.min(16 / 9, Math.max(lowestRatio, width / Math.max(1, height)));
  const fittedWidth = Math.min(width, height * ratio);
  return { width: Math.floor(fittedWidth), height: Math.floor(fittedWidth / ratio) };
};

/** Minimum height of a small tile; where they would be lower, there are more columns. */
const minHeight = 54;

/** Share of a narrow space that the small tiles may take. */
const smallShare = 0.32;

/** One large tile, and `others` small ones in columns next to it, or in rows below it in portrait spaces. */
export const besideMain = (
  space: Size,
  others: number,
  gap: number,
): { main: Size; small: Size; side: 'beside' | 'below' } => {
  if (space.height > space.width) {
    const columns = Math.min(4, Math.max(2, others));
    const rows = Math.ceil(others / columns);
    const width = Math.floor((space.width - gap * (columns - 1)) / columns);
    const height = Math.floor(Math.min((width * 3) / 4, (space.height * smallShare) / Math.max(1, rows) - gap));
    const main = { width: space.width, height: space.height - rows * (height + gap) };
    return { main, small: { width, height }, side: 'below' };
  }
  const columns = Math.ceil(others / Math.max(1, Math.floor((space.height + gap) / (minHeight + gap))));
  const columnWidth = columns > 1 ? (space.width * smallShare * 1.2) / columns - gap : Math.max(96, space.width * 0.2);
  const maxWidth = Math.min(240, columnWidth);
  const rows = Math.max(1, Math.ceil(others / Math.max(1, columns)));
  const height = Math.floor(Math.min((maxWidth * 9) / 16, (space.height + gap) / rows - gap));
  const small = { width: Math.floor((height * 16) / 9), height };
  const columnsWidth = columns * (small.width + gap);
  return { main: { width: space.width - columnsWidth, height: space.height }, small, side: 'beside' };
};
