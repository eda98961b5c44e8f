/** Steps: messages that only hosts may send, sent by hosts and by others. */
import type { Random } from '../../listener/uwsgi/random.ts';
import type { Caller } from './caller.ts';
import type { Step } from './steps.ts';
import { isIn, maySpeak } from './steps-entering.ts';
import { WebSocketLink } from './websocket-link.ts';
import type { World } from './world.ts';

const someone = ({ callers }: World, dice: Random, first = 0): string =>
  callers[first + dice(callers.length - first)]?.life?.id ?? 'nobody';

export const hosting: Record<string, Step> = {
  makeHost: {
    weight: 3,
    fits: isIn,
    take({ life }, dice, { witness }) {
      if (dice(4) === 0) witness.say([{ type: 'role', peer: witness.life?.id, role: 'guest' }]);
      else witness.say([{ type: 'role', peer: life?.id, role: 'host' }]);
    },
  },
  setRole: {
    weight: 4,
    fits: maySpeak,
    take: (caller, dice, world) =>
      caller.say([{ type: 'role', peer: someone(world, dice), role: dice(3) === 0 ? 'host' : 'guest' }]),
  },
  muteRequest: {
    weight: 2,
    fits: maySpeak,
    take: (caller, dice, world) => caller.say([{ type: 'mute-request', peer: someone(world, dice), kind: 'audio' }]),
  },
  kick: {
    weight: 2,
    fits: maySpeak,
    // The witness stays.
    take: (caller, dice, world) => caller.say([{ type: 'kick', peer: someone(world, dice, 1) }]),
  },
  reload: {
    weight: 2,
    fits: (caller: Caller) =>
      isIn(caller) && caller.link?.condition === 'whole' && caller.link instanceof WebSocketLink,
    take(caller) {
      caller.lose();
      if (caller.link instanceof WebSocketLink) caller.link.reload();
    },
  },
};
