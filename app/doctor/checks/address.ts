/** Whether the name resolves, and whether each of its addresses accepts connections. */
import { lookup } from 'node:dns/promises';
import { connect } from 'node:net';
import { type Check, type Finding, found, ok, skipped } from '../finding.ts';
import { isLocal, placeOf, reasonOf, type Site } from '../target.ts';

export const address: Check = {
  name: 'address',
  needs: [],
  run: async (site) => tryAddresses(site, await addressesOf(placeOf(site.url).host)),
};

/** @param addresses those of the site's name */
export const tryAddresses = async (site: Site, addresses: string[]): Promise<Finding[]> => {
  const { host, port } = placeOf(site.url);
  if (addresses.length === 0) return [found('name-unknown', `${host} has no address`)];
  const tried = await Promise.all(addresses.map((one) => tryOne(one, port, site.timeout)));
  const dead = tried.filter(({ why }) => why !== undefined);
  const reasons = dead.map(({ address, why }) => `${address}: ${why}`).join('; ');
  if (dead.length === tried.length) return [found('unreachable', `nothing answers on port ${port}: ${reasons}`)];
  const alive = tried.filter(({ why }) => why === undefined).map(({ address }) => address);
  const reached = ok(`${host} (${alive.join(', ')}) answers on port ${port}`);
  // For a local name browsers use whichever address answers.
  if (dead.length === 0 || isLocal(site.url.hostname)) return [reached];
  const isLocalProblem = dead.every(({ code }) => noRouteCodes.has(code ?? ''));
  return [
    reached,
    isLocalProblem ? skipped(`this machine has no route there (${reasons})`) : found('address-dead', reasons),
  ];
};

/** Errors that mean that this machine has no network for an address. */
const noRouteCodes = new Set(['ENETUNREACH', 'EADDRNOTAVAIL', 'EAFNOSUPPORT']);

const addressesOf = async (host: string): Promise<string[]> => {
  try {
    return [...new Set((await lookup(host, { all: true })).map(({ address }) => address))];
  } catch {
    return [];
  }
};

const tryOne = (address: string, port: number, timeout: number) =>
  new Promise<{ address: string; why?: string; code?: string | undefined }>((resolve) => {
    const socket = connect({ host: address, port, timeout });
    const finish = (result: { why?: string; code?: string | undefined }) => {
      socket.destroy();
      resolve({ address, ...result });
    };
    socket.once('connect', () => finish({}));
    socket.once('timeout', () => finish({ why: `no connection in ${timeout} ms` }));
    socket.once('error', (error: NodeJS.ErrnoException) => finish({ why: reasonOf(error), code: error.code }));
  });
