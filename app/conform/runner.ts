/** Runs the spec against a server: every case over every transport, and what each of them showed. */
import { Context, isLimit, NotTested, sleep, type Target } from './context.ts';
import { type Case, guarantees, isFor } from './spec.ts';
import { eventStream, plainHttp, type Transport, webSocket } from './transports.ts';

export type Verdict =
  | { verdict: 'kept' }
  /** `seen`: what there was in place of what was promised. */
  | { verdict: 'broken'; seen: string }
  | { verdict: 'not judged'; why: string };
/** `guarantee` counts from 1, in the order of `guarantees`. */
export type CaseResult = { guarantee: number; name: string; transport: Transport['name'] } & Verdict;

/** `quick`: ms; cases that last longer are left out. `pace`: ms between the beginnings of two cases. */
export type RunOptions = { quick?: number | undefined; pace: number };
/** What is run of the spec, when not all of it. */
export type Part = { by?: Transport[]; guarantee?: number };
export type Site = Omit<Target, 'grace'>;

export const transports: Transport[] = [webSocket, plainHttp, eventStream];

/** A way in: the house as it was found, or why nobody came in. */
type Way = { transport: Transport; found: Target | Error };

/** @throws what kept a peer out, when nobody can enter by any transport: then there is nothing to judge */
export const runCases = async (site: Site, { quick, pace }: RunOptions, part: Part = {}): Promise<CaseResult[]> => {
  const { by = transports, guarantee } = part;
  const ways = await Promise.all(by.map((transport) => visit(site, transport)));
  const closed = ways.map(({ found }) => found).filter((found) => found instanceof Error);
  if (closed.length === ways.length) throw closed[0];
  const judged: (CaseResult | Promise<CaseResult>)[] = ways.flatMap(entrance);
  for (const [at, { cases }] of guarantees.entries())
    for (const one of cases)
      for (const way of ways) {
        const { transport, found } = way;
        if (!isFor(one, transport) || (guarantee !== undefined && guarantee !== at + 1)) continue;
        const about = { guarantee: at + 1, name: one.name, transport: transport.name };
        const why = whyNot(one, way, ways, quick);
        if (found instanceof Error || why) {
          judged.push({ ...about, verdict: 'not judged', why: why ?? '' });
          continue;
        }
        judged.push(run(one, new Context(found, transport)).then((verdict) => ({ ...about, ...verdict })));
        await sleep(pace);
      }
  return Promise.all(judged);
};

/** Enters a room with two peers; what the server cannot be judged by is found here. */
const visit = async (site: Site, transport: Transport): Promise<Way> => {
  const context = new Context({ ...site, grace: 0 }, transport);
  try {
    const room = context.newRoom();
    const { self, grace } = await context.peerIn(room).join({ name: 'Aiko' });
    await context.enter(room);
    if (site.token !== undefined && self.name !== 'Aiko') throw new Error('the token has a name: make one without');
    if (site.token !== undefined && self.role !== 'host')
      throw new Error('the token makes its bearer a guest: give the token of a host as well, by --token-host');
    return { transport, found: { ...site, grace } };
  } catch (error) {
    return { transport, found: error instanceof Error ? error : new Error(String(error)) };
  } finally {
    await context.leave();
  }
};

/** What is to be said of a transport by which nobody comes in, while others do. */
const entrance = ({ transport, found }: Way): CaseResult[] =>
  found instanceof Error
    ? [{ guarantee: guarantees.length, name: 'one can enter', transport: transport.name, ...broken(found) }]
    : [];

const whyNot = ({ also = [], lasts }: Case, own: Way, ways: Way[], quick = Number.POSITIVE_INFINITY) => {
  const used = [own, ...ways.filter(({ transport }) => also.includes(transport.name))];
  const closed = used.find(({ found }) => found instanceof Error);
  if (closed) return `nobody can enter by ${closed.transport.name}`;
  const ms = own.found instanceof Error ? 0 : (lasts?.(own.found) ?? 0);
  return ms > quick ? `it lasts longer than ${quick / 1000} s` : undefined;
};

const run = async (one: Case, context: Context): Promise<Verdict> => {
  try {
    await within(context.house.grace + 120_000, one.run(context));
    return { verdict: 'kept' };
  } catch (error) {
    if (error instanceof NotTested || isLimit(error)) return { verdict: 'not judged', why: error.message };
    return broken(error);
  } finally {
    await context.leave();
  }
};

const within = async (ms: number, done: Promise<void>): Promise<void> => {
  const { promise: late, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(new Error(`nothing more happened in ${ms / 1000} s`)), ms);
  try {
    await Promise.race([done, late]);
  } finally {
    clearTimeout(timer);
  }
};

const broken = (error: unknown): Extract<Verdict, { verdict: 'broken' }> => {
  const { message, cause } = error instanceof Error ? error : new Error(String(error));
  // What fetch says of itself is only that it failed.
  return { verdict: 'broken', seen: cause instanceof Error ? `${message}: ${cause.message}` : message };
};
