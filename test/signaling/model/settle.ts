/** The end of a round: everything in flight is settled, the state is compared with the model, time passes. */
import type { ErrorCode } from '../../../app/protocol/errors.ts';
import type { Caller } from './caller.ts';
import { checkAll } from './checks.ts';
import { HttpLink, pollWait } from './http-link.ts';
import type { Life } from './life.ts';
import type { Link } from './links.ts';
import { limits } from './place.ts';
import { WebSocketLink } from './websocket-link.ts';
import type { World } from './world.ts';

export const settle = async (world: World): Promise<void> => {
  await answers(world);
  for (const caller of world.callers) if (caller.link?.condition === 'armed') caller.link.cut('rudely');
  for (const caller of world.callers) collect(world, caller);
  await replacements(world);
  await losses(world);
  await idlers(world);
  const until = await barrier(world);
  const drained = await drain(world);
  checkAll(world, drained, until);
  for (const caller of drained) caller.disturbed = false;
  world.check();
  await timePasses(world, drained);
  world.round += 1;
};

const isWhole = ({ link, life }: Caller): boolean => link?.condition === 'whole' && life !== undefined;

/** Every request on unbroken links is answered. */
const answers = async (world: World): Promise<void> => {
  for (const caller of world.callers) {
    const isAnswered = () => {
      const { link, life } = caller;
      if (link?.condition !== 'whole' && link?.condition !== 'armed') return true;
      return link.quiet && (link.kind === 'HTTP' || !life?.sent.some(({ on, settled }) => on === link && !settled));
    };
    const open = () => caller.life?.sent.filter(({ settled }) => !settled).map(({ message }) => message);
    await world.until(`the answer to ${caller.slot}`, isAnswered, open);
  }
};

/** Removes an ended link, and checks whether it may have ended. */
const collect = (world: World, caller: Caller): void => {
  const { link } = caller;
  if (link?.condition !== 'over') return;
  caller.lose();
  caller.link = undefined;
  caller.lost = link;
  caller.lostAt = world.now();
  const { ended } = link;
  if (!ended && caller.life?.leaving) caller.die();
  if (!ended) return;
  if (!link.excused && !mayEnd(world, caller, link))
    world.violated('no connection ends without cause', `${caller.slot} by ${link.kind}`, ended);
  // A lost connection and close codes below 4500 ask the client to reconnect.
  const invited =
    ended.refused === undefined || ended.refused === 'events-gone' || (ended.code >= 4000 && ended.code < 4500);
  if (link instanceof WebSocketLink && link.reloads) return;
  if (ended.refused === 'left' && caller.life) world.gone.push(caller.life);
  if (!invited || caller.life?.leaving) caller.die();
};

const mayEnd = (world: World, caller: Caller, { mayEnd, ended }: Link): boolean => {
  const { life } = caller;
  if (ended?.refused === undefined) return false;
  if (mayEnd.has(ended.refused)) return true;
  if (ended.refused === 'rate-limited') return caller.isHasty;
  // A resuming peer receives all it missed at once, which may exceed max-unsent-bytes.
  if (ended.refused === 'slow-consumer') return world.isHeavy;
  const member = life && world.model?.now.get(life.id);
  if (ended.refused === 'kicked') return life !== undefined && world.model?.kicked.has(life.id) === true;
  if (ended.refused === 'unknown-session' || ended.refused === 'session-lost')
    return !member || member.epoch !== world.model?.at(life.start).get(life.id)?.epoch;
  // The next life shows whether they were really removed.
  return ended.refused === 'events-gone';
};

const past: (ErrorCode | undefined)[] = ['replaced', 'kicked', 'unknown-session', 'events-gone'];

const mayEndOlder = ({ isHeavy }: World, { ended, mayEnd }: Link): boolean => {
  const refused = ended?.refused;
  if (past.includes(refused)) return true;
  return refused === 'slow-consumer' ? isHeavy : refused !== undefined && mayEnd.has(refused);
};

/** A peer with a newer connection loses the older one for good. */
const replacements = async (world: World): Promise<void> => {
  for (const caller of world.callers) {
    for (const [link, { until }] of caller.old) {
      if (link.condition === 'frozen' || link.condition === 'stalled') continue;
      const isOver = () => link.condition === 'over' || (link instanceof HttpLink && !link.polls && link.quiet);
      if (Number.isFinite(until)) await world.until(`the end of the older connection of ${caller.slot}`, isOver);
      if (link.ended && !link.excused && !mayEndOlder(world, link))
        world.violated('one connection', `the older connection of ${caller.slot} ended otherwise`, link.ended);
      link.cut('rudely');
      caller.old.delete(link);
    }
  }
};

/**
 * Lost connections are reported to every peer: cut ones at once, silent ones after two pings or the grace of polling, and those that do not
 * read once too much is buffered for them.
 */
const losses = async (world: World): Promise<void> => {
  const awayOrGone = ({ id }: Life) =>
    world.until(`peer-away of ${id}`, () => world.model?.now.get(id)?.away !== false);
  for (const caller of world.callers) {
    for (const [link, { life, until }] of caller.old)
      if (
        life?.ended &&
        !life.doubtful &&
        until === Number.POSITIVE_INFINITY &&
        isUnheard(link) &&
        isLatest(world, life)
      )
        await awayOrGone(life);
    const { life, link, lost } = caller;
    const gone = link ?? lost;
    if (life && gone && !caller.late && isLost(world, caller, gone)) await awayOrGone(life);
  }
};

/** No peer has resumed with its id. */
const isLatest = ({ lives }: World, life: Life): boolean => lives.findLast(({ id }) => id === life.id) === life;

const isUnheard = (link: Link): boolean =>
  link instanceof WebSocketLink && link.welcomed && link.condition === 'frozen' && link.unheard > 1;

const isLost = (world: World, caller: Caller, link: Link): boolean => {
  if (!link.welcomed) return false;
  if (link.condition === 'over')
    return link.kind === 'WebSocket' || world.now() >= caller.lostAt + limits['poll-grace'] * 1000;
  return (
    isUnheard(link) || (link.condition === 'stalled' && link.kind === 'WebSocket' && owed(world, caller) > bytesAtOnce)
  );
};

/** More than one request can return: what arrives in one turn is checked with the next event. */
const bytesAtOnce = 850_000;

/** Bytes buffered for a caller that has stopped reading. */
const owed = (world: World, { life, stalledAt }: Caller): number => {
  if (!world.isHeavy) return 0;
  const sent = [...world.sent.values()].filter(
    ({ message, settled, lossy, low, seq }) =>
      message.to === life?.id && settled === 'acked' && !lossy && low >= stalledAt && seq === undefined,
  );
  return sent.reduce((sum, { message }) => sum + JSON.stringify(message).length, 0);
};

const idlers = async (world: World): Promise<void> => {
  for (const { link, since } of world.idle) {
    const isDue = since + limits['join-timeout'] * 1000 <= world.now();
    if (isDue) await world.until('the end of a connection without a join', () => link.condition === 'over');
    const refused = link.ended?.refused;
    if (refused !== (isDue ? 'join-timeout' : undefined))
      world.violated('joining', 'a silent connection', link.ended, isDue);
  }
  world.idle = world.idle.filter(({ link }) => link.condition !== 'over');
};

/** The witness has received everything so far. */
const barrier = async (world: World): Promise<number> => {
  const { link } = world.witness;
  link?.drain();
  await world.until('the answer to the witness', () => link?.quiet === true);
  if (link?.condition !== 'whole') world.violated('no connection ends without cause', 'of the witness', link?.ended);
  world.check();
  return world.seq;
};

/** Every connected peer has received everything so far. */
const drain = async (world: World): Promise<Caller[]> => {
  const asked = world.callers.filter(isWhole);
  for (const { link } of asked) link?.drain();
  for (const { link, slot } of asked) await world.until(`everything for ${slot}`, () => link?.quiet === true);
  for (const caller of asked) collect(world, caller);
  return asked.filter(isWhole);
};

const timePasses = async (world: World, drained: Caller[]): Promise<void> => {
  for (const { link } of drained) if (link instanceof HttpLink) link.poll(pollWait);
  if (world.jump > limits['poll-grace'] * 1000) await prove(world, drained);
  for (const caller of world.callers) caller.promised = caller.expected;
  world.before = world.now();
  await world.place.pass(world.jump || 250);
  world.jump = 0;
  for (const link of world.links()) if (link instanceof WebSocketLink) expectPing(link, world.now());
};

/**
 * Makes sure that requests for events wait: a second ends the first and is the one that counts, and a response to a later message shows
 * that it arrived. Unless an event happened meanwhile, which it returned.
 */
const prove = async (world: World, drained: Caller[]): Promise<void> => {
  const { seq } = world;
  for (const { link, slot } of drained)
    if (link instanceof HttpLink) {
      link.poll(pollWait);
      link.say([{ type: 'ping' }]);
      await world.until(`the answer to ${slot}`, () => link.quiet);
    }
  if ((await barrier(world)) !== seq) return;
  for (const caller of drained) if (caller.link) caller.heardBy(caller.link, pollWait);
};

const expectPing = (link: WebSocketLink, now: number): void => {
  if (now - link.pinged < limits['ping-interval'] * 1000) return;
  link.pinged = now;
  link.unheard = link.condition === 'whole' ? 0 : link.unheard + 1;
};
