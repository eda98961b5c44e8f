/** Paths as nginx sees them: decoded and without dots, and what stands before the app's own paths. Pure text. */

/**
 * The path of a raw URL as nginx's $uri has it: without query and fragment, percent-decoded, `.` and `..` resolved,
 * slashes merged. Undefined where nginx answers 400: a broken or zero escape, or `..` above the root.
 * @param url latin1, a character for a byte; begins with "/"
 * @param merge as nginx's merge_slashes, which is on if nobody switched it off
 */
export const normalPath = (url: string, merge = true): string | undefined => {
  const raw = rawPath(url);
  if (!needsWork.test(raw)) return raw;
  const decoded = decode(raw);
  return decoded === undefined ? undefined : withoutDots(decoded, merge);
};

/**
 * Whether REQUEST_URI, which we route by, and PATH_INFO, by which the front end chose a location, are the same place.
 * They may differ by the prefix that SCRIPT_NAME names. How the front end sets merge_slashes is not known here.
 */
export const isSamePlace = (url: string, pathInfo: string, scriptName: string): boolean => {
  const isPath = (path: string | undefined): boolean =>
    path !== undefined && (path === pathInfo || (scriptName !== '' && path === scriptName + pathInfo));
  return isPath(normalPath(url)) || isPath(normalPath(url, false));
};

/** A prefix that a front end may name: `/meet`, `/a/b`; a slash at its end is dropped. Undefined when it is none. */
export const readPrefix = (text: string): string | undefined => {
  const prefix = text.endsWith('/') ? text.slice(0, -1) : text;
  return prefixForm.test(prefix) && !/\/\.{1,2}(?:\/|$)/.test(prefix) ? prefix : undefined;
};

/** The URL below the prefix, as raw as it came; unchanged when it does not begin with it (a front end took it away). */
export const belowPrefix = (url: string, prefix: string): string => {
  // As nearly all come; the rest is for escapes.
  if (url.startsWith(`${prefix}/`)) return url.slice(prefix.length);
  const path = rawPath(url);
  const depth = prefix.split('/').length;
  const segments = path.split('/');
  if (segments.slice(0, depth).map(decode).join('/') !== prefix) return url;
  const below = segments.slice(depth).join('/');
  return `/${below}${url.slice(path.length)}`;
};

const prefixForm = /^(?:\/[\w.~!$&'()*+,;=:@-]+)+$/;

/** An escape, a dot or an empty segment. */
const needsWork = /%|\/\.|\/\//;

const rawPath = (url: string): string => {
  const end = url.search(/[?#]/);
  return end < 0 ? url : url.slice(0, end);
};

const decode = (text: string): string | undefined => {
  if (/%(?![0-9A-Fa-f]{2})|%00/.test(text)) return undefined;
  return text.replaceAll(/%(..)/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 16)));
};

/** Escaped slashes and dots count like others, because nginx looks at them after decoding. */
const withoutDots = (path: string, merge: boolean): string | undefined => {
  const kept: string[] = [];
  let last = '';
  for (const segment of path.slice(1).split('/')) {
    last = segment;
    if (segment === '..') {
      if (kept.pop() === undefined) return undefined;
    } else if (segment !== '.' && !(merge && segment === '')) kept.push(segment);
  }
  // Without merging the empty segment behind a last slash is one of those kept.
  const isFolder = last === '.' || last === '..' || (merge && last === '');
  return `/${kept.join('/')}${isFolder && kept.length > 0 ? '/' : ''}`;
};
