/** Steps: joining, resuming, leaving. */
import type { Random } from '../../listener/uwsgi/random.ts';
import type { Caller } from './caller.ts';
import type { Fields, Link } from './links.ts';
import type { Step } from './steps.ts';
import { WebSocketLink } from './websocket-link.ts';
import type { World } from './world.ts';

export const isJoining = ({ attempt }: Caller): boolean => attempt !== undefined && attempt.outcome === undefined;
export const isOut = (caller: Caller): boolean => !caller.life && !isJoining(caller);
const canReturn = (caller: Caller): boolean => caller.life !== undefined && !caller.life.leaving && !isJoining(caller);
export const isIn = (caller: Caller): boolean =>
  canReturn(caller) && caller.link !== undefined && caller.link.condition !== 'over';
/** Joined, or about to be: messages wait for the response to the join. */
export const maySpeak = (caller: Caller): boolean => isIn(caller) || isJoining(caller);

export const kindOf = (dice: Random): Link['kind'] => (dice(5) < 3 ? 'WebSocket' : 'HTTP');
const facts = (caller: Caller, dice: Random): Fields => ({
  ...(dice(2) === 0 ? { name: `caller ${caller.slot}` } : {}),
  ...(dice(2) === 0 ? { media: { audio: dice(2) === 0, video: dice(2) === 0 } } : {}),
});

/** An invalid session: of a life that is over (whose name it returns) or was kicked, of another peer with a wrong secret, or malformed. */
const strangeSession = (world: World, dice: Random): string => {
  // Another caller may still have the same session, from before it started a new one; or join with it now, and every client with the same
  // session is the same peer.
  const isUsed = (session: string) =>
    world.attempts.some((one) => one.session === session && one.outcome === undefined);
  const lives = world.lives.filter(
    ({ ended, id, session }) => ended && world.lives.findLast((one) => one.id === id)?.ended && !isUsed(session),
  );
  const life = lives[dice(Math.max(1, lives.length))];
  const other = world.callers[dice(world.callers.length)]?.life?.id ?? 'nobody';
  const gone = life && !world.model?.now.has(life.id) ? life.session : 'garbage';
  const kicked = world.lives.findLast(({ id }) => world.model?.kicked.has(id))?.session ?? 'garbage';
  return [gone, kicked, `${other}.${'x'.repeat(32)}`, 'no session'][dice(4)] ?? '';
};

export const entering: Record<string, Step> = {
  enter: {
    weight: 14,
    fits: isOut,
    take: (caller, dice) => caller.enter(kindOf(dice), facts(caller, dice)),
  },
  enterWithStrangeSession: {
    weight: 4,
    fits: isOut,
    take: (caller, dice, world) =>
      caller.enter(kindOf(dice), { session: strangeSession(world, dice), after: dice(3) * 10 }),
  },
  enterAndCut: {
    weight: 2,
    fits: isOut,
    take(caller, dice) {
      caller.enter(kindOf(dice));
      caller.link?.cutAfter(dice(2) === 0 ? 'up' : 'down', dice(1200), dice(2) === 0 ? 'politely' : 'rudely');
    },
  },
  resume: {
    weight: 12,
    fits: (caller) => canReturn(caller) && (!isIn(caller) || caller.link?.excused === true),
    take: (caller, dice) => caller.enter(kindOf(dice), {}, caller.life),
  },
  resumeElsewhere: {
    weight: 4,
    fits: isIn,
    take: (caller, dice) => caller.enter(kindOf(dice), {}, caller.life),
  },
  resumeAndCut: {
    weight: 3,
    fits: canReturn,
    take(caller, dice) {
      caller.enter(kindOf(dice), {}, caller.life);
      caller.link?.cutAfter(dice(2) === 0 ? 'up' : 'down', dice(2000), dice(2) === 0 ? 'politely' : 'rudely');
    },
  },
  leave: {
    weight: 4,
    fits: isIn,
    take(caller) {
      if (caller.life) caller.life.leaving = true;
      caller.link?.leave();
      if (caller.link?.condition === 'whole') return;
      caller.forsake();
      caller.die();
    },
  },
  forget: {
    weight: 2,
    fits: (caller) => caller.life !== undefined,
    take(caller) {
      caller.forsake();
      caller.die();
    },
  },
  connectOnly: {
    weight: 1,
    fits: (_caller, world) => world.idle.length < 3,
    take(caller, _dice, world) {
      const link = new WebSocketLink(world.path, world.room, caller);
      link.pinged = world.now();
      world.idle.push({ link, since: world.now() });
    },
  },
};
