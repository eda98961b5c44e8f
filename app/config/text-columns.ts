/** Text in columns, for help, explanations and printed configuration. */

/** Columns of a terminal that nobody has to widen. */
export const width = 100;

/** Breaks a text between words into lines of at most `columns` letters; a longer word stays whole. */
export const wrap = (text: string, columns: number): string[] => {
  const lines = [''];
  for (const word of text.split(' ')) {
    const line = lines.at(-1) ?? '';
    if (line === '') lines[lines.length - 1] = word;
    else if (line.length + 1 + word.length <= columns) lines[lines.length - 1] = `${line} ${word}`;
    else lines.push(word);
  }
  return lines;
};

/** A term with its text beside it, indented by two; below it when the term is too long. */
export const columns = (term: string, text: string, column: number): string[] => {
  const [first = '', ...rest] = wrap(text, width - column);
  const indented = rest.map((line) => ' '.repeat(column) + line);
  if (term.length + 4 > column) return [`  ${term}`, ' '.repeat(column) + first, ...indented];
  return [`  ${term}`.padEnd(column) + first, ...indented];
};
