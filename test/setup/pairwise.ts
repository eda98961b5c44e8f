/** Smaller matrices: combinations in which every pair of values occurs, in place of all combinations. */

/**
 * @param rows all combinations that are possible
 * @param columns the values of a row that are combined; compared with ===
 * @returns rows in which every pair of values of two columns occurs that occurs in `rows`, in the same order
 */
export const pairwise = <Row>(rows: Row[], columns: ((row: Row) => unknown)[]): Row[] => {
  const values = columns.map((column) => [...new Set(rows.map(column))]);
  const pairsOf = (row: Row): string[] => {
    const indices = columns.map((column, at) => values[at]?.indexOf(column(row)));
    return indices.flatMap((first, at) =>
      indices.slice(at + 1).map((second, gap) => `${at}:${first} ${at + 1 + gap}:${second}`),
    );
  };
  const pairs = new Map(rows.map((row) => [row, pairsOf(row)]));
  const missing = new Set([...pairs.values()].flat());
  const chosen = new Set<Row>();
  const gain = (row: Row) => (pairs.get(row) ?? []).filter((pair) => missing.has(pair)).length;
  while (missing.size > 0) {
    const best = rows.reduce((a, b) => (gain(b) > gain(a) ? b : a));
    chosen.add(best);
    for (const pair of pairs.get(best) ?? []) missing.delete(pair);
  }
  return rows.filter((row) => chosen.has(row));
};
