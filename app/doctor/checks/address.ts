/** Whether the name leads somewhere, and every address that it leads to answers. */
import { lookup } from 'node:dns/promises';
import { connect } from 'node:net';
import { type Check, found, ok, skipped } from '../finding.ts';
import { isLocal, placeOf, reasonOf } from '../target.ts';

export const address: Check = {
  name: 'address',
  needs: [],
  async run(site) {
    const { host, port } = placeOf(site.url);
    const addresses = await addressesOf(host);
    if (addresses.length === 0) return [found('name-unknown', `${host} has no address`)];
    const tried = await Promise.all(addresses.map((one) => tryOne(one, port, site.timeout)));
    const dead = tried.filter(({ why }) => why !== undefined);
    const told = dead.map(({ address, why }) => `${address}: ${why}`).join('; ');
    if (dead.length === tried.length) return [found('unreachable', `nothing answers on port ${port}: ${told}`)];
    const well = tried.filter(({ why }) => why === undefined).map(({ address }) => address);
    const reached = ok(`${host} is ${well.join(', ')}, and answers on port ${port}`);
    // The browser takes the one that answers.
    if (dead.length === 0 || isLocal(site.url.hostname)) return [reached];
    const isOwnLack = dead.every(({ code }) => ownLack.has(code ?? ''));
    return [reached, isOwnLack ? skipped(`this machine has no way there (${told})`) : found('address-dead', told)];
  },
};

/** What this machine has no network for. */
const ownLack = new Set(['ENETUNREACH', 'EADDRNOTAVAIL', 'EAFNOSUPPORT']);

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
    const end = (result: { why?: string; code?: string | undefined }) => {
      socket.destroy();
      resolve({ address, ...result });
    };
    socket.once('connect', () => end({}));
    socket.once('timeout', () => end({ why: `no connection in ${timeout} ms` }));
    socket.once('error', (error: NodeJS.ErrnoException) => end({ why: reasonOf(error), code: error.code }));
  });
