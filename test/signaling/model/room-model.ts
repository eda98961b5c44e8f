/** The expected room: what the witness received, replayed by the few rules of a room. */
import type { MediaState, Peer, PeerId, Role } from '../../../app/protocol/messages.ts';
import type { ReceivedEvent } from './life.ts';
import { limits } from './place.ts';

/** `epoch`: of the pair with each earlier peer. `lost`: between which times (ms) its connection was lost. */
export type Member = {
  epoch: number;
  role: Role;
  name: string | undefined;
  media: MediaState;
  hand: boolean;
  away: boolean;
  lost: [number, number];
};
export type Members = ReadonlyMap<PeerId, Member>;
/** The members from an event on. */
export type Moment = { seq: number; clock: number; members: Members };
export type Violated = (guarantee: string, what: string, ...evidence: unknown[]) => void;

/** ms for which a lost host is remembered. */
const memory = limits['room-memory'] * 1000;
const silent: MediaState = { audio: false, video: false };

export class RoomModel {
  readonly #moments: Moment[];
  readonly #violated: Violated;
  #epochs = 1;
  /** The peer that must become host next. */
  #successor: PeerId | undefined;
  /** When they were, at the earliest. */
  readonly kicked = new Map<PeerId, number>();
  /** Until when hosts that were lost return as hosts, at the earliest and at the latest. */
  readonly #lostHosts = new Map<PeerId, [number, number]>();

  /** @param first the peer whose `joined` created the room */
  constructor(first: PeerId, seq: number, violated: Violated) {
    const host: Member = {
      epoch: 1,
      role: 'host',
      name: undefined,
      media: silent,
      hand: false,
      away: false,
      lost: [0, 0],
    };
    this.#moments = [{ seq, clock: 0, members: new Map([[first, host]]) }];
    this.#violated = violated;
  }

  get now(): Members {
    return this.#moments.at(-1)?.members ?? new Map();
  }

  /** The members once event `seq` had happened. */
  at(seq: number): Members {
    return this.#moments[this.#indexAt(seq)]?.members ?? new Map();
  }

  /** When it happened (ms), at the earliest. */
  clockAt(seq: number): number {
    return this.#moments[this.#indexAt(seq)]?.clock ?? 0;
  }

  /** The number of the first event after `seq` that was for all; Infinity before there is one. */
  nextAfter(seq: number): number {
    return this.#moments[this.#indexAt(seq) + 1]?.seq ?? Number.POSITIVE_INFINITY;
  }

  /** Every state from event `low` to event `high`. */
  between(low: number, high: number): Members[] {
    return this.#moments.slice(this.#indexAt(low), this.#indexAt(high) + 1).map(({ members }) => members);
  }

  /** @param clock the server's time (ms), at the earliest and at the latest */
  apply(event: ReceivedEvent, clock: [number, number]): void {
    const members = new Map(this.now);
    const fault = this.#succeed(event) ?? this.#change(members, event, clock);
    if (fault) this.#violated('what happens in a room', fault, event, Object.fromEntries(this.now));
    this.#moments.push({ seq: event.seq, clock: clock[0], members });
  }

  /** Changes the members; → why this is not allowed. */
  #change(members: Map<PeerId, Member>, event: ReceivedEvent, clock: [number, number]): string | undefined {
    if (event.type === 'peer-joined') return this.#join(members, event.peer, clock);
    const id = 'peer' in event ? event.peer : 'from' in event ? event.from : '';
    const member = members.get(id);
    if (!member) return `${id} is not in the room`;
    switch (event.type) {
      case 'peer-updated':
        members.set(id, { ...member, ...updateOf(event) });
        return;
      case 'peer-away':
        members.set(id, { ...member, away: true, lost: clock });
        return member.away ? `${id} was away already` : undefined;
      case 'peer-back':
        members.set(id, { ...member, away: false });
        return member.away ? undefined : `${id} was not away`;
      case 'peer-left': {
        // In a full room the seat of an unconnected peer gives way.
        const mayGiveWay = members.size >= limits['max-peers'];
        members.delete(id);
        if (event.reason === 'timeout' && member.role === 'host')
          this.#lostHosts.set(id, [memory + clock[0], memory + clock[1]]);
        if (event.reason === 'kicked') this.kicked.set(id, clock[0]);
        this.#successor = successorOf(members);
        return event.reason === 'timeout' && !mayGiveWay ? tooEarly(member, clock[1]) : undefined;
      }
      default:
        return;
    }
  }

  /** When the last host has left, the next event makes another peer host. */
  #succeed(event: ReceivedEvent): string | undefined {
    const successor = this.#successor;
    this.#successor = undefined;
    const isMade = event.type === 'peer-updated' && event.peer === successor && event.role === 'host';
    return successor === undefined || isMade ? undefined : `${successor} is to be host now`;
  }

  #join(members: Map<PeerId, Member>, peer: Peer, clock: [number, number]): string | undefined {
    const before = members.get(peer.id);
    const role = before?.role ?? (members.size === 0 ? 'host' : this.#roleOfNewcomer(peer, clock));
    this.#lostHosts.delete(peer.id);
    const { epoch, name, media } = peer;
    members.delete(peer.id);
    members.set(peer.id, { epoch, role, name, media, hand: false, away: false, lost: [0, 0] });
    if (members.size > limits['max-peers']) return 'there are more peers than seats';
    if (epoch <= this.#epochs) return `epoch ${epoch} is not newer than ${this.#epochs}`;
    this.#epochs = epoch;
    if (peer.role !== role) return `${peer.id} is to be ${role}`;
    if (peer.away || peer.initiator || peer.polite) return 'a newcomer is here, offers first and is polite';
    return;
  }

  /** Between the earliest and the latest time either is right. */
  #roleOfNewcomer({ id, role }: Peer, [earliest, latest]: [number, number]): Role {
    const [first, last] = this.#lostHosts.get(id) ?? [0, 0];
    if (latest < first) return 'host';
    return earliest < last ? role : 'guest';
  }

  #indexAt(seq: number): number {
    let [low, high] = [0, this.#moments.length - 1];
    while (low < high) {
      const middle = Math.ceil((low + high) / 2);
      if ((this.#moments[middle]?.seq ?? 0) <= seq) low = middle;
      else high = middle - 1;
    }
    return low;
  }
}

/** The epoch of a pair is that of the later peer; undefined unless both are members. */
export const epochOf = (members: Members, one: PeerId, other: PeerId): number | undefined => {
  const [a, b] = [members.get(one), members.get(other)];
  return a && b && one !== other ? Math.max(a.epoch, b.epoch) : undefined;
};

/** The other peers as `self` must see them. */
export const viewOf = (members: Members, self: PeerId): Peer[] => {
  const own = members.get(self)?.epoch ?? 0;
  const others = [...members].filter(([id]) => id !== self);
  return others.map(([id, { epoch, role, name, media, hand, away }]) => {
    const later = own > epoch;
    const named = name === undefined ? {} : { name };
    return { id, ...named, role, media, hand, away, initiator: later, polite: later, epoch: Math.max(own, epoch) };
  });
};

/** Undefined while there is a host; otherwise the peer present longest, of those that are not away if there are any. */
const successorOf = (members: Members): PeerId | undefined => {
  const all = [...members];
  if (all.some(([, { role }]) => role === 'host')) return;
  return (all.find(([, { away }]) => !away) ?? all[0])?.[0];
};

/** The fields of an update; missing ones stay unchanged. */
const updateOf = ({ name, media, hand, role }: ReceivedEvent & { type: 'peer-updated' }): Partial<Member> => ({
  ...(name === undefined ? {} : { name }),
  ...(media === undefined ? {} : { media }),
  ...(hand === undefined ? {} : { hand }),
  ...(role === undefined ? {} : { role }),
});

const tooEarly = ({ away, lost }: Member, now: number): string | undefined => {
  if (!away) return 'it was not away';
  return lost[0] + limits.grace * 1000 > now ? 'its grace was not over' : undefined;
};
