/** The file of a unix socket: nobody's living socket is taken, its mode and owner are right from the first moment. */
import { lchownSync, lstatSync, renameSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { temporaryName } from './temporary-name.ts';

export type UnixFile = {
  /** Octal text. */
  mode: string;
  owner?: { uid: number; gid: number } | undefined;
};

/** Bytes that sun_path holds on Linux, without its final zero (unix(7)); what is longer would be cut without a word. */
const longest = 107;

/**
 * Lets `bindAt` bind at a temporary name beside the path and moves that into place: whoever connects finds the old
 * socket or the new one, with its final mode and owner, and never none. The name shown by `ss` stays the temporary one.
 * @returns what removes the file again, unless another process has put its own in place
 * @throws when a living process listens there, when something else is there, or the owner may not be set
 */
export const publish = async (
  path: string,
  { mode, owner }: UnixFile,
  bindAt: (temporary: string) => Promise<void> | void,
): Promise<() => void> => {
  const temporary = temporaryName(path);
  if (Buffer.byteLength(temporary) > longest)
    throw new Error(`${path} is too long for a unix socket: ${longest - temporary.length + path.length} bytes at most`);
  await refuseLiving(path);
  try {
    await withMode(mode, () => bindAt(temporary));
    if (owner) chown(temporary, owner);
    renameSync(temporary, path);
  } catch (error) {
    rmSync(temporary, { force: true });
    throw error;
  }
  const own = identity(path);
  return () => {
    // Who gave up root may not even look there; the next start takes the place of what is left.
    try {
      if (own !== undefined && identity(path) === own) rmSync(path, { force: true });
    } catch {}
  };
};

/**
 * Has what `make` creates at once, before it waits for anything, get exactly this mode. Not by chmod afterwards, which would
 * follow a link that was put in its place.
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
    throw new Error(`chown-socket: ${path} cannot be given to ${uid}:${gid} (only root may)`, { cause: error });
  }
};

/** Which file stands at the path; a new one, even of the same name, is another. */
const identity = (path: string): string | undefined => {
  const found = lstatSync(path, { throwIfNoEntry: false });
  return found && `${found.dev}:${found.ino}:${found.birthtimeMs}`;
};

/** A socket file whose process is gone may be replaced; one that answers, or a file of another kind, never. */
const refuseLiving = async (path: string): Promise<void> => {
  const found = lstatSync(path, { throwIfNoEntry: false });
  if (!found) return;
  if (!found.isSocket()) throw new Error(`${path} is there already and is not a socket`);
  if (await answers(path)) throw new Error(`${path} is in use by another process`);
};

const answers = (path: string): Promise<boolean> =>
  new Promise((resolve) => {
    const probe = connect(path);
    probe.once('connect', () => {
      probe.destroy();
      resolve(true);
    });
    // Anything but a refusal (no permission, backlog full) may be a living process.
    probe.once('error', (error: NodeJS.ErrnoException) => resolve(error.code !== 'ECONNREFUSED'));
  });
