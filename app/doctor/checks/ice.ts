/** Whether the STUN and TURN servers that visitors receive respond, and allocate relays with the given credentials. */
import { type Check, type Finding, found, ok, skipped } from '../finding.ts';
import { leave, visit } from '../peer.ts';
import { type IceEndpoint, parseIceUrl, Relay } from '../relay.ts';
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
    const tried = await Promise.all(servers.map(({ url, credential }) => checkServer(site, url, credential)));
    const isRelayed = servers.some(({ url }) => url.startsWith('turn'));
    const received = servers.length === 0 ? 'no ICE servers' : 'only STUN servers';
    return [
      ...expiryOf(servers.find(({ credential }) => credential)?.credential),
      ...tried,
      isRelayed
        ? skipped('whether an expired credential is rejected: making one needs the secret')
        : found('no-turn', `visitors receive ${received}`),
    ];
  },
};

/** Usernames of the TURN REST scheme begin with their expiry, in seconds since 1970. */
const expiryOf = (credential: Credential | undefined): Finding[] => {
  const seconds = Number(/^(\d+):/.exec(credential?.username ?? '')?.[1]);
  if (Number.isNaN(seconds)) return [];
  const remaining = Math.round(seconds - Date.now() / 1000);
  return remaining > 0
    ? [ok(`the TURN credential is valid for ${remaining} s`)]
    : [found('turn-expired', `the TURN credential just issued expired ${-remaining} s ago`)];
};

const checkServer = async (site: Site, url: string, credential: Credential | undefined): Promise<Finding> => {
  const server = parseIceUrl(url);
  if (!server) return found('ice-unreachable', `${url} is not a STUN or TURN URL`);
  try {
    const relay = await Relay.reach(server, site.timeout, site.ca);
    try {
      return await checkResponse(relay, url, server, credential);
    } finally {
      relay.close();
    }
  } catch (error) {
    const isCertificateError = server.transport === 'tls' && /certificate|altnames|issuer/i.test(reasonOf(error));
    return found(isCertificateError ? 'turn-tls' : 'ice-unreachable', `${url}: ${reasonOf(error)}`);
  }
};

const checkResponse = async (
  relay: Relay,
  url: string,
  { scheme }: IceEndpoint,
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
      return ok(`${url} allocates a relay`);
    case 401:
      return found('turn-credential', `${url} rejects the credential (401)`);
    default:
      return found('turn-refused', `${url} allocates no relay: error ${outcome}`);
  }
};
