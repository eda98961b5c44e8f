/** The file of a unix socket: it never replaces a socket in use, and has its final mode and owner from the start. */
import { lchownSync, lstatSync, renameSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { temporaryName } from './temporary-name.ts';

export type UnixFile = {
  /** Octal text. */
  mode: string;
  owner?: { uid: number; gid: number } | undefined;
};

/** Bytes that sun_path holds on Linux, without the final NUL (unix(7)); a longer path would be silently truncated. */
const maxPathBytes = 107;

/**
 * Lets `bindAt` bind at a temporary name in the same directory, then renames it into place: clients find either the old
 * socket or the new one, with its final mode and owner, and never none. `ss` keeps showing the temporary name.
 * @returns a function that removes the file, unless another process has replaced it
 * @throws when a running process listens there, when the path is not a socket, or when the owner cannot be set
 */
export const publish = async (
  path: string,
  { mode, owner }: UnixFile,
  bindAt: (temporary: string) => Promise<void> | void,
): Promise<() => void> => {
  const temporary = temporaryName(path);
  if (Buffer.byteLength(temporary) > maxPathBytes)
    throw new Error(
      `${path} is too long for a unix socket: ${maxPathBytes - temporary.length + path.length} bytes at most`,
    );
  await refuseInUse(path);
  try {
    await withMode(mode, () => bindAt(temporary));
    if (owner) chown(temporary, owner);
    renameSync(temporary, path);
  } catch (error) {
    rmSync(temporary, { force: true });
    throw error;
  }
  const published = fileIdentity(path);
  return () => {
    // After dropping root even stat may be denied; the next start replaces the stale file.
    try {
      if (published !== undefined && fileIdentity(path) === published) rmSync(path, { force: true });
    } catch {}
  };
};

/**
 * Sets the umask so that what `make` creates synchronously gets exactly this mode. A chmod afterwards would follow a link put in
 * its place.
 */
const withMode = <T>(mode: string, make: () => T): T => {
  const umask = process.umask(0o777 & ~Number.parseInt(mode, 8));
  try {
    return make();
  } finally {
    process.umask(umask);
  }
};

const chown = (path: string, { uid, gid }: { uid: number; gid: number }): void => {
  try {
    lchownSync(path, uid, gid);
  } catch (error) {
    throw new Error(`chown-socket: cannot change the owner of ${path} to ${uid}:${gid} (requires root)`, {
      cause: error,
    });
  }
};

/** Identifies the file at the path; a new file of the same name has another identity. */
const fileIdentity = (path: string): string | undefined => {
  const found = lstatSync(path, { throwIfNoEntry: false });
  return found && `${found.dev}:${found.ino}:${found.birthtimeMs}`;
};

/** A stale socket file may be replaced; one that accepts connections, or any other file, never. */
const refuseInUse = async (path: string): Promise<void> => {
  const found = lstatSync(path, { throwIfNoEntry: false });
  if (!found) return;
  if (!found.isSocket()) throw new Error(`${path} already exists and is not a socket`);
  if (await isAccepting(path)) throw new Error(`${path} is in use by another process`);
};

const isAccepting = (path: string): Promise<boolean> =>
  new Promise((resolve) => {
    const probe = connect(path);
    probe.once('connect', () => {
      probe.destroy();
      resolve(true);
    });
    // Any other error (no permission, backlog full) may mean a running process.
    probe.once('error', (error: NodeJS.ErrnoException) => resolve(error.code !== 'ECONNREFUSED'));
  });
