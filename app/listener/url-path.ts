/** URL paths, normalized as nginx does it, and the path prefix before the app's own paths. Pure functions. */

/**
 * The path of a raw URL as in nginx's $uri: without query and fragment, percent-decoded, `.` and `..` resolved,
 * slashes merged. Undefined where nginx answers 400: an invalid escape, `%00`, or `..` above the root.
 * @param url latin1, one character per byte; begins with "/"
 * @param merge nginx's merge_slashes, which is on by default
 */
export const normalPath = (url: string, merge = true): string | undefined => {
  const raw = rawPath(url);
  if (!notNormal.test(raw)) return raw;
  const decoded = decode(raw);
  return decoded === undefined ? undefined : resolveSegments(decoded, merge);
};

/**
 * Whether REQUEST_URI, which we route by, and PATH_INFO, by which the front end chose a location, are the same path.
 * They may differ by the prefix in SCRIPT_NAME. Both settings of merge_slashes are accepted, as the front end's is unknown.
 */
export const isSamePlace = (url: string, pathInfo: string, scriptName: string): boolean => {
  const isPath = (path: string | undefined): boolean =>
    path !== undefined && (path === pathInfo || (scriptName !== '' && path === scriptName + pathInfo));
  return isPath(normalPath(url)) || isPath(normalPath(url, false));
};

/** Parses a path prefix sent by a front end: `/meet`, `/a/b`; a trailing slash is dropped. Undefined if invalid. */
export const readPrefix = (text: string): string | undefined => {
  const prefix = text.endsWith('/') ? text.slice(0, -1) : text;
  return prefixForm.test(prefix) && !/\/\.{1,2}(?:\/|$)/.test(prefix) ? prefix : undefined;
};

/** The URL without the prefix, still raw; unchanged if it does not begin with it (the front end has removed it). */
export const belowPrefix = (url: string, prefix: string): string => {
  // The common case; the rest handles percent-escapes.
  if (url.startsWith(`${prefix}/`)) return url.slice(prefix.length);
  const path = rawPath(url);
  const depth = prefix.split('/').length;
  const segments = path.split('/');
  if (segments.slice(0, depth).map(decode).join('/') !== prefix) return url;
  const below = segments.slice(depth).join('/');
  return `/${below}${url.slice(path.length)}`;
};

const prefixForm = /^(?:\/[\w.~!$&'()*+,;=:@-]+)+$/;

/** An escape, a segment that begins with a dot, or an empty segment. */
const notNormal = /%|\/\.|\/\//;

const rawPath = (url: string): string => {
  const end = url.search(/[?#]/);
  return end < 0 ? url : url.slice(0, end);
};

const decode = (text: string): string | undefined => {
  if (/%(?![0-9A-Fa-f]{2})|%00/.test(text)) return undefined;
  return text.replaceAll(/%(..)/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 16)));
};

/** Takes a decoded path: nginx resolves segments after decoding, so escaped slashes and dots count too. */
const resolveSegments = (path: string, merge: boolean): string | undefined => {
  const kept: string[] = [];
  let last = '';
  for (const segment of path.slice(1).split('/')) {
    last = segment;
    if (segment === '..') {
      if (kept.pop() === undefined) return undefined;
    } else if (segment !== '.' && !(merge && segment === '')) kept.push(segment);
  }
  // Without merging, the empty segment after a trailing slash is already in `kept`.
  const isDirectory = last === '.' || last === '..' || (merge && last === '');
  return `/${kept.join('/')}${isDirectory && kept.length > 0 ? '/' : ''}`;
};
