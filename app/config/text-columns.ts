/** Text in columns, for help, explain and print-config. */

/** Maximum columns of a line. */
export const width = 100;

/** Wraps text at spaces into lines of at most `columns` characters; a longer word is not broken. */
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

/** A term, indented by two, with its text in a second column; on the next line when the term is too long. */
export const columns = (term: string, text: string, column: number): string[] => {
  const [first = '', ...rest] = wrap(text, width - column);
  const indented = rest.map((line) => ' '.repeat(column) + line);
  if (term.length + 4 > column) return [`  ${term}`, ' '.repeat(column) + first, ...indented];
  return [`  ${term}`.padEnd(column) + first, ...indented];
};
