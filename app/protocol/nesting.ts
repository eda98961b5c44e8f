/** Checks the nesting depth and the number of values of JSON text, before it is parsed. */

/**
 * Whether JSON text has more than `depth` brackets open at once. Nearly every message has fewer brackets than that in total, which
 * is checked first, without a scan of each character.
 */
export const nestsDeeper = (text: string, depth: number): boolean => {
  if (text.length <= 2 * depth) return false;
  const objects = countUpTo(depth + 1, text, '{');
  return objects + countUpTo(depth + 1 - objects, text, '[') > depth && scan(text, depth);
};

/** Whether JSON text may have more values than a description or a candidate: only its brackets and commas are counted. */
export const hasManyValues = (text: string): boolean => {
  if (text.length <= 2 * fewValues) return false;
  const commas = countUpTo(fewValues + 1, text, ',');
  const objects = countUpTo(fewValues + 1 - commas, text, '{');
  return commas + objects + countUpTo(fewValues + 1 - commas - objects, text, '[') > fewValues;
};
const fewValues = 12;

const countUpTo = (max: number, text: string, bracket: string): number => {
  let count = 0;
  for (let at = text.indexOf(bracket); at >= 0 && count < max; at = text.indexOf(bracket, at + 1)) count += 1;
  return count;
};

const scan = (text: string, depth: number): boolean => {
  let open = 0;
  let inString = false;
  for (let at = 0; at < text.length; at += 1) {
    const code = text.charCodeAt(at);
    if (code === quote) inString = !inString;
    else if (inString) at += code === backslash ? 1 : 0;
    else if (code === brace || code === bracket) open += 1;
    else if (code === brace + 2 || code === bracket + 2) open -= 1;
    if (open > depth) return true;
  }
  return false;
};

const [quote, backslash, brace, bracket] = [0x22, 0x5c, 0x7b, 0x5b];
