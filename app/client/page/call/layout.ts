/** How large the tiles of a call can be. Lengths are CSS pixels. */

export type Size = { width: number; height: number };

/**
 * The largest size at which `count` tiles fit side by side and below each other into `space`, with `gap` between them.
 * Tiles are between 4:3 and 16:9, and may be upright (3:4) where the space is.
 */
export const tileSize = (space: Size, count: number, gap: number): Size => {
  const narrowest = space.height > space.width ? 3 / 4 : 4 / 3;
  let best: Size = { width: 0, height: 0 };
  for (let columns = 1; columns <= Math.max(1, count); columns++) {
    const size = fitted(space, columns, Math.ceil(count / columns), gap, narrowest);
    if (size.width * size.height > best.width * best.height) best = size;
  }
  return best;
};

const fitted = (space: Size, columns: number, rows: number, gap: number, narrowest: number): Size => {
  const width = Math.max(0, (space.width - gap * (columns - 1)) / columns);
  const height = Math.max(0, (space.height - gap * (rows - 1)) / Math.max(1, rows));
  const ratio = Math.min(16 / 9, Math.max(narrowest, width / Math.max(1, height)));
  const across = Math.min(width, height * ratio);
  return { width: Math.floor(across), height: Math.floor(across / ratio) };
};

/** Below this height a small tile shows nothing any more: then there are more columns of them. */
const lowest = 54;

/** How much of a narrow space the small tiles may take. */
const share = 0.32;

/** One large tile, and `others` small ones in columns beside it, or in rows below it where the space is upright. */
export const besideMain = (
  space: Size,
  others: number,
  gap: number,
): { main: Size; small: Size; side: 'beside' | 'below' } => {
  if (space.height > space.width) {
    const columns = Math.min(4, Math.max(2, others));
    const rows = Math.ceil(others / columns);
    const width = Math.floor((space.width - gap * (columns - 1)) / columns);
    const height = Math.floor(Math.min((width * 3) / 4, (space.height * share) / Math.max(1, rows) - gap));
    const main = { width: space.width, height: space.height - rows * (height + gap) };
    return { main, small: { width, height }, side: 'below' };
  }
  const columns = Math.ceil(others / Math.max(1, Math.floor((space.height + gap) / (lowest + gap))));
  const beside = columns > 1 ? (space.width * share * 1.2) / columns - gap : Math.max(96, space.width * 0.2);
  const widest = Math.min(240, beside);
  const rows = Math.max(1, Math.ceil(others / Math.max(1, columns)));
  const height = Math.floor(Math.min((widest * 9) / 16, (space.height + gap) / rows - gap));
  const small = { width: Math.floor((height * 16) / 9), height };
  const strip = columns * (small.width + gap);
  return { main: { width: space.width - strip, height: space.height }, small, side: 'beside' };
};
