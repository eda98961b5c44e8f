/** Pages of which origins may use the rooms: those of the same host, and those of `--allowed-origins`. */

/** Whether a page of `origin`, as the header has it, may use the server that was asked as `host`. */
export type MayUse = (origin: string | undefined, host: string) => boolean;

/**
 * Programs send no origin, and may. `null`, which files and sandboxed frames send, stands for anybody and may not.
 * @param allowed `https://meet.example`, or `https://*.meet.example` for all below it, at any depth
 */
export const mayUseFrom = (allowed: readonly string[]): MayUse => {
  const origins = allowed.filter((entry) => !entry.includes('://*.')).map((entry) => new URL(entry).origin);
  const exact = new Set(origins);
  const parents = allowed.filter((entry) => entry.includes('://*.')).map((entry) => new URL(entry.replace('*.', '')));
  return (origin, host) => {
    if (origin === undefined || exact.has(origin)) return true;
    if (!URL.canParse(origin)) return false;
    const page = new URL(origin);
    return page.host === host.toLowerCase() || parents.some((parent) => isBelow(page, parent));
  };
};

const isBelow = (page: URL, parent: URL): boolean =>
  page.protocol === parent.protocol && page.port === parent.port && page.hostname.endsWith(`.${parent.hostname}`);
