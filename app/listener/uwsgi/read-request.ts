/** Decides what to do with a uwsgi packet: answer a ping, serve a request, or refuse it. */
import { largestNetwork } from '../../budgets/address.ts';
import { requestCost, type TurnShares } from '../../budgets/turn-shares.ts';
import { headMemory } from '../../budgets/unsent-bytes.ts';
import type { RefusalCode } from '../error-response.ts';
import { type ListenerOptions, maxHeadLines } from '../limits.ts';
import { isCrossSite } from '../refused-addresses.ts';
import { ping } from './modifiers.ts';
import type { PacketResult, Variable } from './packet.ts';
import { type RequestHead, readHead } from './vars.ts';

type RequestPolicy = Pick<ListenerOptions, 'limitPost' | 'answersFor' | 'isBarred' | 'refusedTo'>;

/** `message` and `fields` are for the log. */
export type RequestRefusal = { kind: 'refusal'; code: RefusalCode; message: string; fields: object };
export type ReadPacket = Exclude<PacketResult, { kind: 'more' }>;
type Packet = Extract<PacketResult, { kind: 'packet' }>;
type Outcome = { kind: 'ping' } | { kind: 'request'; head: RequestHead; rest: Buffer } | RequestRefusal;

export const readRequest = (packet: ReadPacket, policy: RequestPolicy): Outcome => {
  if (packet.kind === 'fault') {
    const code = packet.fault === 'block-too-large' ? 'header-too-large' : 'bad-request';
    return refusal(code, packet.message, { fault: packet.fault });
  }
  if (packet.modifier1 === ping) return { kind: 'ping' };
  const { length } = packet.vars;
  if (length > maxHeadLines)
    return refusal('header-too-large', `${length} variables, at most ${maxHeadLines} are read`);
  const head = readHead(packet.vars, policy.limitPost);
  if (head.kind === 'fault') {
    count(packet.vars, policy);
    const code = head.status === 413 ? 'body-too-large' : 'bad-request';
    return refusal(code, `${head.variable}: ${head.reason}`, { variable: head.variable });
  }
  return refuseClient(head, packet.vars, policy) ?? { kind: 'request', head, rest: packet.rest };
};

/**
 * Calls `serve` when the client's network may have another request served. To read the variables costs ten times as much as to parse the
 * packet. @returns false if too much of this network waits
 */
export const runInTurn = (turns: TurnShares, { vars }: Packet, serve: () => void): boolean => {
  let bytes = 0;
  let client: string | undefined;
  for (const [name, value] of vars) {
    bytes += name.length + value.length;
    if (name === 'REMOTE_ADDR') client = value;
  }
  const network = largestNetwork(client);
  return turns.run(network, { cost: requestCost(bytes, vars.length), bytes: headMemory(bytes, vars.length) }, serve);
};

const variableOf = (vars: readonly Variable[], wanted: string): string | undefined =>
  vars.findLast(([name]) => name === wanted)?.[1];

const refuseClient = (
  { host, remoteAddress }: RequestHead,
  vars: readonly Variable[],
  { isBarred, answersFor }: RequestPolicy,
): RequestRefusal | undefined => {
  if (isBarred(remoteAddress, isFromOtherSite(vars)))
    return refusal('rate-limited', 'too many requests from this client were refused');
  return answersFor(host, remoteAddress) ? undefined : refusal('unknown-host', 'the host is not allowed', { host });
};

const count = (vars: readonly Variable[], { refusedTo }: RequestPolicy): void => {
  // Browsers send no Sec-Fetch-Site with a WebSocket handshake, and any page can make them send one.
  const crossSite = vars.some(([name]) => name === 'HTTP_UPGRADE') || isFromOtherSite(vars);
  refusedTo(variableOf(vars, 'REMOTE_ADDR'), crossSite);
};

/** Repeated headers are joined, as in the app's `headers`: the app must count what is checked here. */
const isFromOtherSite = (vars: readonly Variable[]): boolean => {
  let site: string | undefined;
  for (const [name, value] of vars)
    if (name === 'HTTP_SEC_FETCH_SITE') site = site === undefined ? value : `${site}, ${value}`;
  return isCrossSite(site);
};

const refusal = (code: RefusalCode, message: string, fields: object = {}): RequestRefusal => ({
  kind: 'refusal',
  code,
  message: `uwsgi: ${message}`,
  fields,
});
