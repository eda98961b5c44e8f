/** Whether the STUN and TURN servers that visitors are told of answer them, and relay with the credentials given. */
import { type Check, type Finding, found, ok, skipped } from '../finding.ts';
import { leave, visit } from '../peer.ts';
import { type IceServer, parseIceUrl, Relay } from '../relay.ts';
import type { Credential } from '../stun.ts';
import { reasonOf, type Site } from '../target.ts';

export const ice: Check = {
  name: 'ice',
  needs: ['conversation'],
  async run(site) {
    const visitor = await visit(site, site.rooms[0]);
    await leave(site, visitor);
    const servers = visitor.ice.flatMap(({ urls, username, credential }) => {
      const given = username === undefined || credential === undefined ? undefined : { username, credential };
      return urls.map((url) => ({ url, credential: given }));
    });
    const tried = await Promise.all(servers.map(({ url, credential }) => tryOne(site, url, credential)));
    const isRelayed = servers.some(({ url }) => url.startsWith('turn'));
    const told = servers.length === 0 ? 'no ICE servers' : 'STUN alone';
    return [
      ...expiryOf(servers.find(({ credential }) => credential)?.credential),
      ...tried,
      isRelayed
        ? skipped('that an expired credential is refused: only the secret could make one')
        : found('no-turn', `visitors are told of ${told}`),
    ];
  },
};

/** Usernames of the TURN REST scheme begin with the second since 1970 at which they end. */
const expiryOf = (credential: Credential | undefined): Finding[] => {
  const seconds = Number(/^(\d+):/.exec(credential?.username ?? '')?.[1]);
  if (Number.isNaN(seconds)) return [];
  const left = Math.round(seconds - Date.now() / 1000);
  return left > 0
    ? [ok(`the TURN credential is good for ${left} s`)]
    : [found('turn-expired', `the TURN credential that was just made has ended ${-left} s ago`)];
};

const tryOne = async (site: Site, url: string, credential: Credential | undefined): Promise<Finding> => {
  const server = parseIceUrl(url);
  if (!server) return found('ice-unreachable', `${url} is no address of a STUN or TURN server`);
  try {
    const relay = await Relay.reach(server, site.timeout, site.ca);
    try {
      return await judge(relay, url, server, credential);
    } finally {
      relay.close();
    }
  } catch (error) {
    const isTrust = server.transport === 'tls' && /certificate|altnames|issuer/i.test(reasonOf(error));
    return found(isTrust ? 'turn-tls' : 'ice-unreachable', `${url}: ${reasonOf(error)}`);
  }
};

const judge = async (
  relay: Relay,
  url: string,
  { scheme }: IceServer,
  credential: Credential | undefined,
): Promise<Finding> => {
  if (scheme.startsWith('stun') || !credential) {
    const answer = await relay.bind();
    return answer ? ok(`${url} answers`) : found('ice-unreachable', `${url} does not answer`);
  }
  const outcome = await relay.allocate(credential);
  switch (outcome) {
    case undefined:
      return found('ice-unreachable', `${url} does not answer`);
    case 0:
      return ok(`${url} gives a relay`);
    case 401:
      return found('turn-credential', `${url} refuses the credential (401)`);
    default:
      return found('turn-refused', `${url} gives no relay: ${outcome}`);
  }
};
