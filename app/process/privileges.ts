/** Users and groups: whom a socket is given to, and who the process becomes once everything is bound. */
import { execFileSync } from 'node:child_process';

export type Identity = { uid: number; gid: number; user?: string };

/** `user` or `user:group`, names or numbers. A user without a group brings its own. @throws when there is none such */
export const identityOf = (user: string | undefined, group: string | undefined): Identity | undefined => {
  if (user === undefined && group === undefined) return undefined;
  const found = user === undefined ? { uid: own('getuid'), gid: undefined } : userCalled(user);
  const gid = group === undefined ? found.gid : groupCalled(group);
  if (gid === undefined) throw new Error(`uid ${user}: nobody is listed with this number, so give gid as well`);
  return { ...found, gid };
};

/** The value of chown-socket. */
export const ownerOf = (text: string | undefined): Identity | undefined => {
  if (text === undefined) return undefined;
  const [user, group] = text.split(':');
  return identityOf(user, group);
};

/** Gives up root for good: supplementary groups, group, user, in this order. @throws when that is not allowed */
export const dropPrivileges = ({ uid, gid, user }: Identity): void => {
  if (own('getuid') === uid && own('getgid') === gid) return;
  try {
    // Missing from Node's types: process.initgroups(user, group).
    if (user !== undefined && 'initgroups' in process && typeof process.initgroups === 'function')
      process.initgroups(user, gid);
    else process.setgroups?.([gid]);
    process.setgid?.(gid);
    process.setuid?.(uid);
  } catch (error) {
    throw new Error(`uid, gid: this process may not become ${uid}:${gid} (only root may)`, { cause: error });
  }
};

export const isRoot = (): boolean => own('getuid') === 0;

/** Systems without users (Windows) have neither function. */
const own = (name: 'getuid' | 'getgid'): number => process[name]?.() ?? -1;

type User = { uid: number; gid?: number | undefined; user?: string };

const userCalled = (text: string): User => {
  const [user, , uid, gid] = entry('passwd', text);
  if (user !== undefined) return { user, uid: Number(uid), gid: Number(gid) };
  if (/^\d+$/.test(text)) return { uid: Number(text) };
  throw new Error(`there is no user ${text}`);
};

const groupCalled = (text: string): number => {
  const [, , gid] = entry('group', text);
  if (gid !== undefined) return Number(gid);
  if (/^\d+$/.test(text)) return Number(text);
  throw new Error(`there is no group ${text}`);
};

/** The fields of an entry, by name or number. getent asks wherever the machine keeps its users; Node knows no such call. */
const entry = (database: 'passwd' | 'group', key: string): string[] => {
  try {
    return execFileSync('getent', [database, key], { encoding: 'utf8', stdio: 'pipe' }).trim().split(':');
  } catch {
    return [];
  }
};
