/** Steps: messages, valid and invalid. */
import type { Random } from '../../listener/uwsgi/random.ts';
import type { Caller } from './caller.ts';
import type { Fields } from './links.ts';
import { heavy, limits } from './place.ts';
import type { Step } from './steps.ts';
import { isIn, maySpeak } from './steps-entering.ts';
import { WebSocketLink } from './websocket-link.ts';
import type { World } from './world.ts';

/** Some peer, usually one in the room. */
const receiver = (caller: Caller, dice: Random, world: World): string => {
  const ids = world.callers.flatMap(({ life }) => (life && life !== caller.life ? [life.id] : []));
  const past = world.lives.filter(({ ended }) => ended).map(({ id }) => id);
  const pool = dice(10) === 0 ? [...past, 'nobody', caller.life?.id ?? 'nobody'] : ids;
  return pool[dice(Math.max(1, pool.length))] ?? 'nobody';
};

/** The epoch that the caller knows, or in one of eight cases another. */
const signalTo = (caller: Caller, to: string, dice: Random, data: unknown): Fields => {
  const epoch = caller.life?.epochs.get(to) ?? 1;
  const wrong = [Math.max(1, epoch - 1), epoch + 1, 1][dice(3)];
  return { type: 'signal', to, epoch: dice(8) === 0 ? wrong : epoch, data };
};

const stalled = ({ callers }: World): Caller[] => callers.filter(({ link }) => link?.condition === 'stalled');

const isMissing = ({ life, link }: Caller): boolean => life !== undefined && link === undefined;

const odd = ['', 'v=0\r\n"\\\u2028', '玄関 😀', { deep: [[], {}, null, 1e21] }, 7, 'x'.repeat(3000)];

const burst = (caller: Caller, dice: Random, world: World, size: number, data: unknown = ''): void => {
  const to = receiver(caller, dice, world);
  caller.say(Array.from({ length: size }, () => signalTo(caller, to, dice, data)));
};

export const speaking: Record<string, Step> = {
  signal: {
    weight: 16,
    fits: maySpeak,
    take: (caller, dice, world) =>
      caller.say([signalTo(caller, receiver(caller, dice, world), dice, odd[dice(odd.length)])]),
  },
  chat: {
    weight: 12,
    fits: maySpeak,
    take: (caller, dice, world) =>
      caller.say([{ type: 'chat', ...(dice(3) === 0 ? { to: receiver(caller, dice, world) } : {}) }]),
  },
  update: {
    weight: 4,
    fits: maySpeak,
    take: (caller, dice) =>
      caller.say([
        {
          type: 'update',
          hand: dice(2) === 0,
          ...(dice(2) === 0 ? { media: { audio: true, video: dice(2) === 0 } } : {}),
        },
      ]),
  },
  burst: { weight: 4, fits: maySpeak, take: (caller, dice, world) => burst(caller, dice, world, 16) },
  overflow: { weight: 1, fits: isIn, take: (caller, dice, world) => burst(caller, dice, world, 40 + dice(60)) },
  fillLog: {
    weight: 3,
    fits: (caller, world) => isIn(caller) && world.callers.some(isMissing),
    take(caller, dice, world) {
      // So that a resuming peer finds exactly everything, or one event too few.
      const missed = world.seq - (world.callers.find(isMissing)?.life?.last ?? 0);
      const size = limits['log-events'] - missed - dice(4);
      caller.say(Array.from({ length: Math.max(0, size) }, () => ({ type: 'chat' })));
    },
  },
  heavy: {
    weight: 5,
    fits: (caller, world) => isIn(caller) && stalled(world).length > 0,
    take(caller, dice, world) {
      world.isHeavy = true;
      const slow = stalled(world)[dice(stalled(world).length)];
      const to = slow?.life?.id ?? 'nobody';
      const size = dice(3) === 0 ? 24 : 3 + dice(5);
      const signals = Array.from({ length: size }, () => signalTo(caller, to, dice, heavy));
      caller.say([...signals, { type: 'chat' }, { type: 'chat' }]);
    },
  },
  repeat: {
    weight: 4,
    fits: isIn,
    take: (caller, dice) =>
      caller.whenIn((link, life) => {
        // Only up to what the server must have seen, otherwise the repeat would be the first.
        const settled = life.sent.filter((one) => one.settled !== undefined);
        link.say(settled.slice(-1 - dice(8)).map(({ message }) => message));
      }),
  },
  skipNumbers: {
    weight: 2,
    fits: isIn,
    take: (caller, dice) =>
      caller.whenIn((link, life) =>
        link.say([{ type: 'chat', n: life.sent.length + 1000 + dice(9), text: 'too early' }]),
      ),
  },
  ping: { weight: 3, fits: isIn, take: (caller) => caller.link?.drain() },
  flood: {
    weight: 1,
    fits: isIn,
    take(caller, dice) {
      caller.disturbed = true;
      const often = dice(3) === 0 ? 2.5 : 1.5;
      caller.link?.mayEnd.add('rate-limited');
      caller.link?.say(Array.from({ length: often * limits['message-burst'] }, () => ({ type: 'ping' })));
    },
  },
  misbehave: {
    weight: 1,
    fits: (caller) => isIn(caller) && caller.link instanceof WebSocketLink && caller.link.condition === 'whole',
    take(caller, dice) {
      const { link } = caller;
      if (!(link instanceof WebSocketLink)) return;
      caller.disturbed = true;
      const kind = dice(3);
      if (kind === 0) link.misbehave(Buffer.from([1, 2, 3]), 'bad-json');
      else if (kind === 1) link.misbehave('{"type":"chat",', 'bad-json');
      else link.misbehave(`{"type":"ping","more":"${'x'.repeat(limits['max-message-bytes'])}"}`, 'too-long');
    },
  },
};
