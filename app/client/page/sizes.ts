/** Sizes of files, for people. */

/** In the units that people know, with one digit after the point where that says something. */
export const sizeOf = (bytes: number): string => {
  const [unit, size] = (
    [
      ['gigabyte', 1e9],
      ['megabyte', 1e6],
      ['kilobyte', 1e3],
    ] as const
  ).find(([, each]) => bytes >= each) ?? ['byte', 1];
  return new Intl.NumberFormat(undefined, { style: 'unit', unit, maximumFractionDigits: 1 }).format(bytes / size);
};
