/** nginx versions: parsing, comparison, and the features of each. */

export type Version = readonly [major: number, minor: number, patch: number];

/** The oldest supported nginx: Debian 12's. */
export const floor: Version = [1, 22, 0];

/** Parses `1.26.3`; undefined if the text is not a version. */
export const parseVersion = (text: string): Version | undefined => {
  const [, major, minor, patch] = /^(\d+)\.(\d+)\.(\d+)$/.exec(text) ?? [];
  return patch === undefined ? undefined : [Number(major), Number(minor), Number(patch)];
};

export const showVersion = (version: Version): string => version.join('.');

export const isAtLeast = (version: Version, minimum: Version): boolean => {
  for (const [index, part] of version.entries()) {
    const other = minimum[index] ?? 0;
    if (part !== other) return part > other;
  }
  return true;
};

/** Features by version, from https://nginx.org/en/CHANGES */
export const knows = (version: Version) => ({
  /** `http2 on;`. From this version on, `listen … http2` causes a warning. */
  http2Directive: isAtLeast(version, [1, 25, 1]),
  /** `listen … quic`, if nginx is built with --with-http_v3_module. */
  quic: isAtLeast(version, [1, 25, 0]),
  /** `$request_port` and `$is_request_port`: the port from Host or, in HTTP/2 and HTTP/3, from :authority. */
  requestPort: isAtLeast(version, [1, 29, 3]),
  /** `server name:port resolve;` in an upstream; in older versions only in the commercial edition. */
  resolve: isAtLeast(version, [1, 27, 3]),
});
