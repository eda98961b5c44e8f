/** Results of the benchmarks → Markdown tables. */

export const table = (head: string[], rows: string[][]): string =>
  [head, head.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |\n`).join('');

export const shown = (value: number): string =>
  value >= 1e6
    ? `${(value / 1e6).toFixed(1)} M`
    : value >= 1000
      ? `${(value / 1000).toFixed(1)} k`
      : value >= 1
        ? value.toFixed(1)
        : value.toFixed(3);
