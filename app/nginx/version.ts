/** Versions of nginx: which one is spoken of, and what it knows. Pure text and numbers. */

export type Version = readonly [major: number, minor: number, patch: number];

/** The oldest nginx that these files are written for: Debian 12's. */
export const floor: Version = [1, 22, 0];

/** `1.26.3`; undefined when the text is no version. */
export const parseVersion = (text: string): Version | undefined => {
  const [, major, minor, patch] = /^(\d+)\.(\d+)\.(\d+)$/.exec(text) ?? [];
  return patch === undefined ? undefined : [Number(major), Number(minor), Number(patch)];
};

export const showVersion = (version: Version): string => version.join('.');

export const isAtLeast = (version: Version, wanted: Version): boolean => {
  for (const [index, part] of version.entries()) {
    const other = wanted[index] ?? 0;
    if (part !== other) return part > other;
  }
  return true;
};

/** What newer versions know, by the changes at https://nginx.org/en/CHANGES */
export const knows = (version: Version) => ({
  /** `http2 on;`, and `listen … http2` is a warning from then on. */
  http2Directive: isAtLeast(version, [1, 25, 1]),
  /** `listen … quic`, if it was built with --with-http_v3_module. */
  quic: isAtLeast(version, [1, 25, 0]),
  /** `$request_port` and `$is_request_port`: the port in Host or, as in HTTP/2 and HTTP/3, in :authority. */
  requestPort: isAtLeast(version, [1, 29, 3]),
  /** `server name:port resolve;` in an upstream, before that in the commercial version only. */
  resolve: isAtLeast(version, [1, 27, 3]),
});
