/** Steps: faults of networks and clocks. */
import type { Random } from '../../listener/uwsgi/random.ts';
import type { Caller } from './caller.ts';
import { HttpLink } from './http-link.ts';
import type { Manner } from './line.ts';
import type { Link } from './links.ts';
import type { Step } from './steps.ts';
import { isIn } from './steps-entering.ts';

const manner = (dice: Random): Manner => (dice(2) === 0 ? 'politely' : 'rudely');
const isWhole = (caller: Caller): boolean => isIn(caller) && caller.link?.condition === 'whole';
const isHeldUp = ({ condition }: Link): boolean => condition === 'frozen' || condition === 'stalled';

export const network: Record<string, Step> = {
  cut: {
    weight: 5,
    fits: isIn,
    take(caller, dice) {
      caller.link?.cut(manner(dice));
      caller.lose();
    },
  },
  cutAtByte: {
    weight: 8,
    fits: isWhole,
    take(caller, dice) {
      caller.link?.cutAfter(dice(2) === 0 ? 'up' : 'down', dice([60, 600, 6000][dice(3)] ?? 1), manner(dice));
      caller.lose();
      // Data to be cut.
      caller.say([{ type: 'chat' }, { type: 'chat' }, { type: 'chat' }]);
    },
  },
  loseRequest: {
    weight: 4,
    fits: (caller) => isWhole(caller) && caller.link instanceof HttpLink,
    take(caller, dice) {
      caller.lose();
      if (caller.link instanceof HttpLink)
        caller.link.loseNext(dice(2) === 0 ? 'up' : 'down', dice(dice(2) === 0 ? 300 : 1200), manner(dice));
      caller.say([{ type: 'chat' }, { type: 'chat' }]);
    },
  },
  freeze: {
    weight: 5,
    fits: isWhole,
    take(caller) {
      caller.lose();
      caller.link?.freeze();
    },
  },
  stall: {
    weight: 6,
    fits: isWhole,
    take(caller) {
      caller.lose();
      caller.stalledAt = caller.world.seq;
      caller.link?.stall();
    },
  },
  thaw: {
    weight: 4,
    fits: (caller) => caller.link !== undefined && isHeldUp(caller.link) && caller.link.welcomed,
    take: (caller) => caller.link?.thaw(),
  },
  thawOlder: {
    weight: 4,
    fits: ({ old }) => [...old.keys()].some(isHeldUp),
    take(caller) {
      for (const [link, { until }] of caller.old) {
        if (!isHeldUp(link)) continue;
        if (!Number.isFinite(until) || !mayThaw(link, caller.link)) link.cut('rudely');
        else link.thaw();
        caller.late ||= link instanceof HttpLink;
      }
    },
  },
  jump: {
    weight: 6,
    fits: () => true,
    take: (_caller, dice, world) => {
      world.jump = Math.max(world.jump, [1000, 4000, 11_000, 26_000, 31_000, 100_000][dice(6)] ?? 0);
    },
  },
};

/** A late join would be the newer one and rightly win, and so would a request for events of a caller that uses requests, or has no link. */
const mayThaw = (link: Link, current: Link | undefined): boolean =>
  link.welcomed &&
  (!(link instanceof HttpLink && link.polls) ||
    (current?.kind === 'WebSocket' && current.condition === 'whole' && current.welcomed));
