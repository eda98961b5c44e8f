/** Takes secrets out of what is logged: by the names of fields, by the look of texts, and from URLs. Values in, values out. */

const secretNames = new Set([
  ...['session', 'secret', 'secrethash', 'token', 'passcode', 'password', 'credential'],
  ...['authorization', 'proxy-authorization', 'cookie', 'set-cookie'],
]);
const hidden = '[redacted]';
/** How deep objects are looked through; nothing that is logged is deeper. */
const depth = 5;

/** The same fields, those with a secret's name blackened at any depth; errors are left to their serializer. */
export const redactFields = (fields: Record<string, unknown>): Record<string, unknown> => redactObject(fields, depth);

const redactObject = (fields: Record<string, unknown>, left: number): Record<string, unknown> => {
  const clean: Record<string, unknown> = {};
  for (const name in fields)
    clean[name] =
      secretNames.has(name.toLowerCase()) && fields[name] !== undefined ? hidden : redactValue(fields[name], left);
  return clean;
};

const redactValue = (value: unknown, left: number): unknown => {
  if (typeof value !== 'object' || value === null || value instanceof Error) return value;
  if (left === 0) return '[…]';
  if (Array.isArray(value)) return value.map((item) => redactValue(item, left - 1));
  return redactObject({ ...value }, left - 1);
};

/** Session secrets (id.secret), JSON Web Tokens and credentials of a header, wherever they stand in a text. */
export const redactText = (text: string): string =>
  text
    .replace(/\b(Bearer|Basic)\s+[^\s"',]+/gi, `$1 ${hidden}`)
    .replace(/\beyJ[\w-]{5,}\.[\w-]+(\.[\w-]*)?/g, hidden)
    .replace(/(?<![\w-])[\w-]{1,32}\.[\w-]{32}(?![\w-])/g, hidden);

/**
 * A URL without what may be secret: of its query only `after` and `wait` stay, when they are numbers. For a full URL, such
 * as a referer, the same.
 */
export const redactUrl = (url: string): string => {
  const [path = '', query, ...more] = url.split('?');
  // Fragments are not sent, but nobody keeps a client from sending one.
  const shown = path.replace(/#.*$/s, '');
  if (query === undefined) return shown;
  const kept = more.length > 0 ? [] : query.split('&').filter((pair) => /^(after|wait)=\d+(\.\d+)?$/.test(pair));
  return `${shown}?${kept.length === query.split('&').length ? kept.join('&') : [...kept, '…'].join('&')}`;
};
