/** Removes secrets from log entries: by field name, by pattern in texts, and from URLs. Pure functions. */

const secretNames = new Set([
  ...['session', 'secret', 'secrethash', 'token', 'passcode', 'password', 'credential'],
  ...['authorization', 'proxy-authorization', 'cookie', 'set-cookie'],
]);
const hidden = '[redacted]';
/** Depth to which objects are searched; no log entry is deeper. */
const maxDepth = 5;

/** The same fields, with secrets redacted at any depth; errors are left to their serializer. */
export const redactFields = (fields: Record<string, unknown>): Record<string, unknown> =>
  redactObject(fields, maxDepth);

const redactObject = (fields: Record<string, unknown>, depthLeft: number): Record<string, unknown> => {
  const clean: Record<string, unknown> = {};
  for (const name in fields)
    clean[name] =
      secretNames.has(name.toLowerCase()) && fields[name] !== undefined ? hidden : redactValue(fields[name], depthLeft);
  return clean;
};

const redactValue = (value: unknown, depthLeft: number): unknown => {
  if (typeof value !== 'object' || value === null || value instanceof Error) return value;
  if (depthLeft === 0) return '[…]';
  if (Array.isArray(value)) return value.map((item) => redactValue(item, depthLeft - 1));
  return redactObject({ ...value }, depthLeft - 1);
};

/** Redacts session secrets (id.secret), JSON Web Tokens and header credentials anywhere in a text. */
export const redactText = (text: string): string =>
  text
    .replace(/\b(Bearer|Basic)\s+[^\s"',]+/gi, `$1 ${hidden}`)
    .replace(/\beyJ[\w-]{5,}\.[\w-]+(\.[\w-]*)?/g, hidden)
    .replace(/(?<![\w-])[\w-]{1,32}\.[\w-]{32}(?![\w-])/g, hidden);

/**
 * Redacts a URL, absolute (such as a referer) or not: of its query only `after` and `wait` are kept, if numeric; the fragment is
 * removed.
 */
export const redactUrl = (url: string): string => {
  const [path = '', query, ...more] = url.split('?');
  // Browsers do not send fragments, but other clients may.
  const safePath = path.replace(/#.*$/s, '');
  if (query === undefined) return safePath;
  const kept = more.length > 0 ? [] : query.split('&').filter((pair) => /^(after|wait)=\d+(\.\d+)?$/.test(pair));
  return `${safePath}?${kept.length === query.split('&').length ? kept.join('&') : [...kept, '…'].join('&')}`;
};
