/** Users and groups: the owner of unix sockets, and the user that the process switches to once everything is bound. */
import { execFileSync } from 'node:child_process';

type Identity = { uid: number; gid: number; user?: string };

/** Names or numbers. Without a group, the user's primary group is used. @throws when the user or group is unknown */
export const identityOf = (user: string | undefined, group: string | undefined): Identity | undefined => {
  if (user === undefined && group === undefined) return undefined;
  const found = user === undefined ? { uid: processId('getuid'), gid: undefined } : findUser(user);
  const gid = group === undefined ? found.gid : findGroup(group);
  if (gid === undefined) throw new Error(`uid ${user}: no user has this number; set gid as well`);
  return { ...found, gid };
};

/** The value of chown-socket. */
export const ownerOf = (text: string | undefined): Identity | undefined => {
  if (text === undefined) return undefined;
  const [user, group] = text.split(':');
  return identityOf(user, group);
};

/** Permanently drops root: supplementary groups, group, user, in this order. @throws when that is not permitted */
export const dropPrivileges = ({ uid, gid, user }: Identity): void => {
  if (processId('getuid') === uid && processId('getgid') === gid) return;
  try {
    // Missing from Node's types: process.initgroups(user, group).
    if (user !== undefined && 'initgroups' in process && typeof process.initgroups === 'function')
      process.initgroups(user, gid);
    else process.setgroups?.([gid]);
    process.setgid?.(gid);
    process.setuid?.(uid);
  } catch (error) {
    throw new Error(`uid, gid: cannot switch to ${uid}:${gid} (requires root)`, { cause: error });
  }
};

export const isRoot = (): boolean => processId('getuid') === 0;

/** -1 on systems without users (Windows), which have neither function. */
const processId = (name: 'getuid' | 'getgid'): number => process[name]?.() ?? -1;

type User = { uid: number; gid?: number | undefined; user?: string };

const findUser = (text: string): User => {
  const [user, , uid, gid] = databaseEntry('passwd', text);
  if (user !== undefined) return { user, uid: Number(uid), gid: Number(gid) };
  if (/^\d+$/.test(text)) return { uid: Number(text) };
  throw new Error(`there is no user ${text}`);
};

const findGroup = (text: string): number => {
  const [, , gid] = databaseEntry('group', text);
  if (gid !== undefined) return Number(gid);
  if (/^\d+$/.test(text)) return Number(text);
  throw new Error(`there is no group ${text}`);
};

/** The fields of an entry, by name or number; empty if unknown. Node has no API for this; getent covers every NSS source. */
const databaseEntry = (database: 'passwd' | 'group', key: string): string[] => {
  try {
    return execFileSync('getent', [database, key], { encoding: 'utf8', stdio: 'pipe' }).trim().split(':');
  } catch {
    return [];
  }
};
