/** Runs the spec against a server: every case over every transport. */

import { type Case, isFor } from './case.ts';
import { Context, isLimit, NotTested, sleep, type Target } from './context.ts';
import { guarantees } from './spec.ts';
import { eventStream, plainHttp, type Transport, webSocket } from './transports.ts';

type CaseVerdict =
  | { verdict: 'kept' }
  /** `seen`: what was observed instead of what is guaranteed. */
  | { verdict: 'broken'; seen: string }
  | { verdict: 'not tested'; why: string };
/** `guarantee` counts from 1, in the order of `guarantees`. */
export type CaseResult = { guarantee: number; name: string; transport: Transport['name'] } & CaseVerdict;

/** `quick`: ms; cases that take longer are skipped. `pace`: ms between the starts of two cases. */
type RunOptions = { quick?: number | undefined; pace: number };
/** The part of the spec to run. */
export type SpecPart = { by?: Transport[]; guarantee?: number };
export type ConformSite = Omit<Target, 'grace'>;

export const transports: Transport[] = [webSocket, plainHttp, eventStream];

/** A transport, with the target as reported over it or the reason why joining failed. */
type ProbedTransport = { transport: Transport; found: Target | Error };

/** @throws the reason if joining fails over every transport, so that nothing can be tested */
export const runCases = async (
  site: ConformSite,
  { quick, pace }: RunOptions,
  part: SpecPart = {},
): Promise<CaseResult[]> => {
  const { by = transports, guarantee } = part;
  const probed = await Promise.all(by.map((transport) => probe(site, transport)));
  const failures = probed.map(({ found }) => found).filter((found) => found instanceof Error);
  if (failures.length === probed.length) throw failures[0];
  const results: (CaseResult | Promise<CaseResult>)[] = probed.flatMap(joinFailure);
  for (const [at, { cases }] of guarantees.entries())
    for (const one of cases)
      for (const current of probed) {
        const { transport, found } = current;
        if (!isFor(one, transport) || (guarantee !== undefined && guarantee !== at + 1)) continue;
        const about = { guarantee: at + 1, name: one.name, transport: transport.name };
        const why = skipReason(one, current, probed, quick);
        if (found instanceof Error || why) {
          results.push({ ...about, verdict: 'not tested', why: why ?? '' });
          continue;
        }
        results.push(run(one, new Context(found, transport)).then((verdict) => ({ ...about, ...verdict })));
        await sleep(pace);
      }
  return Promise.all(results);
};

/** Joins a room with two peers, and detects tokens that are unsuitable for the spec. */
const probe = async (site: ConformSite, transport: Transport): Promise<ProbedTransport> => {
  const context = new Context({ ...site, grace: 0 }, transport);
  try {
    const room = context.newRoom();
    const { self, grace } = await context.peerIn(room).join({ name: 'Aiko' });
    await context.join(room);
    if (site.token !== undefined && self.name !== 'Aiko') throw new Error('the token has a name: create one without');
    if (site.token !== undefined && self.role !== 'host')
      throw new Error('the token has the role guest: pass a token of a host as well with --token-host');
    return { transport, found: { ...site, grace } };
  } catch (error) {
    return { transport, found: error instanceof Error ? error : new Error(String(error)) };
  } finally {
    await context.leave();
  }
};

/** The result for a transport over which joining fails, while it works over others. */
const joinFailure = ({ transport, found }: ProbedTransport): CaseResult[] =>
  found instanceof Error
    ? [{ guarantee: guarantees.length, name: 'peers can join', transport: transport.name, ...broken(found) }]
    : [];

const skipReason = (
  { also = [], lasts }: Case,
  current: ProbedTransport,
  probed: ProbedTransport[],
  quick = Number.POSITIVE_INFINITY,
) => {
  const used = [current, ...probed.filter(({ transport }) => also.includes(transport.name))];
  const closed = used.find(({ found }) => found instanceof Error);
  if (closed) return `joining over ${closed.transport.name} fails`;
  const ms = current.found instanceof Error ? 0 : (lasts?.(current.found) ?? 0);
  return ms > quick ? `it takes longer than ${quick / 1000} s` : undefined;
};

const run = async (one: Case, context: Context): Promise<CaseVerdict> => {
  try {
    await withTimeout(context.target.grace + 120_000, one.run(context));
    return { verdict: 'kept' };
  } catch (error) {
    if (error instanceof NotTested || isLimit(error)) return { verdict: 'not tested', why: error.message };
    return broken(error);
  } finally {
    await context.leave();
  }
};

const withTimeout = async (ms: number, done: Promise<void>): Promise<void> => {
  const { promise: timeout, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(new Error(`the case did not finish within ${ms / 1000} s`)), ms);
  try {
    await Promise.race([done, timeout]);
  } finally {
    clearTimeout(timer);
  }
};

const broken = (error: unknown): Extract<CaseVerdict, { verdict: 'broken' }> => {
  const { message, cause } = error instanceof Error ? error : new Error(String(error));
  // The message of fetch only says that it failed; the cause says why.
  return { verdict: 'broken', seen: cause instanceof Error ? `${message}: ${cause.message}` : message };
};
