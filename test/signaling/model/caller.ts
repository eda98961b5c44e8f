/** A peer as the test drives it: its life in the room, its numbered messages, its links, and what it received. */
import type { ErrorCode } from '../../../app/protocol/errors.ts';
import type { Joined, ServerMessage } from '../../../app/protocol/messages.ts';
import { HttpLink } from './http-link.ts';
import { type Attempt, type Life, type ReceivedEvent, type Sent, tagged } from './life.ts';
import type { Fields, Link, LinkListener } from './links.ts';
import { limits } from './place.ts';
import { WebSocketLink } from './websocket-link.ts';
import type { World } from './world.ts';

export class Caller implements LinkListener {
  readonly slot: number;
  readonly world: World;
  life: Life | undefined;
  link: Link | undefined;
  attempt: Attempt | undefined;
  /** Links that are no longer the caller's, with the number of the event at which a newer one replaced them. */
  readonly old = new Map<Link, { life: Life | undefined; until: number }>();
  /** The join whose response is awaited. */
  #later: (() => void)[] = [];
  /** Since the last comparison something happened for which it may be away. */
  disturbed = false;
  /** The time until which the server, which got its request by plain HTTP, must list it as present. */
  expected = 0;
  /** The same at the latest jump of the clock. */
  promised = 0;
  /** Its latest link. */
  lost: Link | undefined;
  /** The clock when that ended. */
  lostAt = 0;
  /** What the witness knew when it stopped reading. */
  stalledAt = 0;
  /** A request of an older link may still arrive and count as a sign of life. */
  late = false;

  constructor(world: World, slot: number) {
    this.world = world;
    this.slot = slot;
  }

  /** It repeats everything unsettled again and again, and so may exceed its rate. */
  get isHasty(): boolean {
    const open = this.life?.sent.filter(({ settled }) => settled === undefined) ?? [];
    return open.length > limits['message-burst'] / 2;
  }

  /** Opens a link and joins on it. */
  enter(kind: Link['kind'], fields: Fields = {}, resumes?: Life): void {
    this.late = [...this.old.keys()].some(({ kind, condition }) => kind === 'HTTP' && condition === 'whole');
    this.forsake();
    const { path, room } = this.world;
    const link = kind === 'HTTP' ? new HttpLink(path, room, this) : new WebSocketLink(path, room, this);
    if (link.kind === 'WebSocket') link.pinged = this.world.now();
    const after = resumes?.last ?? 0;
    const join: Fields = resumes ? { session: resumes.session, after, ...fields } : fields;
    if (link.kind === 'HTTP') link.after = after;
    this.link = link;
    this.life = resumes;
    this.disturbed = true;
    this.attempt = {
      link,
      session: String(join.session ?? ''),
      low: this.world.seq,
      resumes,
      after,
      outcome: undefined,
    };
    this.world.attempts.push(this.attempt);
    link.join(join);
  }

  /** Sent only after the server has responded. */
  whenIn(action: (link: Link, life: Life) => void): void {
    const now = () => {
      if (this.link && this.life && !this.life.ended && this.link.condition !== 'over') action(this.link, this.life);
    };
    if (this.attempt && this.attempt.outcome === undefined) this.#later.push(now);
    else now();
  }

  /** Numbers new messages and sends them, after those that are neither settled nor in flight. */
  say(messages: Fields[]): void {
    this.whenIn((link, life) => {
      for (const fields of messages) life.sent.push(this.#numbered(life, fields));
      const open = life.sent.filter(({ settled, on }) => settled === undefined && on !== link);
      if (open.length === 0) return;
      for (const sent of open) sent.on = link;
      link.say(open.map(({ message }) => message));
      this.heardBy(link);
    });
  }

  /** The link is lost, or may be: messages in flight on it may be settled without the caller knowing. */
  lose(): void {
    this.disturbed = true;
    this.expected = 0;
    for (const sent of this.life?.sent ?? []) if (sent.settled === undefined) sent.lossy = true;
    const { attempt } = this;
    if (attempt && attempt.outcome === undefined && attempt.link.condition === 'over') this.#answered('lost');
  }

  /** Has no link any more; the old one stays as it is. */
  forsake(): void {
    const { link } = this;
    if (!link) return;
    this.lose();
    if (this.attempt?.link === link && this.attempt.outcome === undefined) {
      link.cut('rudely');
      this.#answered('lost');
    }
    if (link instanceof HttpLink) {
      link.retired = true;
      this.late ||= !link.quiet;
    }
    this.old.set(link, { life: this.life, until: Number.POSITIVE_INFINITY });
    this.link = undefined;
  }

  /** Forgets the room; the room may still know it. */
  die(): void {
    if (this.life) this.life.ended = true;
    this.life = undefined;
  }

  /** The server must list it as present for so many seconds, and the grace between requests. */
  heardBy(link: Link, seconds = 0): void {
    if (link.kind !== 'HTTP' || link.condition !== 'whole') return;
    this.expected = Math.max(this.expected, this.world.now() + (seconds + limits['poll-grace']) * 1000);
  }

  // ── what the links report ────────────────────────────────────────────────────────────────────────────────────────────

  received(link: Link, message: ServerMessage): void {
    this.world.note(`${this.slot} < ${JSON.stringify(message).slice(0, 200)}`);
    this.world.wake();
    switch (message.type) {
      case 'joined':
        return this.#joined(link, message);
      case 'reached':
        return this.receivedUpTo(link, message.seq);
      case 'ack':
        return this.#acked(link, message.n);
      case 'error':
        return this.#refused(link, message.code, message.n, message.retry);
      case 'pong':
      case 'ice':
      case 'waiting':
        return;
      case 'bye':
        if (this.attempt?.link === link && this.attempt.outcome === undefined) this.#answered(message.code);
        return;
      default:
        return this.#receive(link, message);
    }
  }

  receivedUpTo(link: Link, seq: number): void {
    if (link === this.link && this.life) this.life.last = Math.max(this.life.last, seq);
    if (link === this.link) this.heardBy(link);
  }

  stirred(): void {
    this.world.wake();
  }

  returned(link: Link): void {
    for (const sent of this.life?.sent ?? []) if (sent.on === link && !sent.settled) sent.on = undefined;
    if (link === this.link && link.condition === 'over') {
      const { ended } = link;
      this.world.note(`${this.slot} link over ${JSON.stringify(ended)}`);
      if (this.attempt?.link === link && this.attempt.outcome === undefined) this.#answered(ended?.refused ?? 'lost');
      this.lose();
    }
    this.world.wake();
  }

  #answered(outcome: Attempt['outcome']): void {
    if (this.attempt) this.attempt.outcome = outcome;
    if (outcome === 'lost' && this.attempt?.resumes) this.attempt.resumes.doubtful = true;
    const later = this.#later;
    this.#later = [];
    if (typeof outcome === 'object') for (const action of later) action();
    else if (outcome !== 'lost') this.#turnedAway();
  }

  #turnedAway(): void {
    this.die();
    this.link = undefined;
  }

  #joined(link: Link, joined: Joined): void {
    const { attempt, world } = this;
    if (attempt?.link !== link) return;
    world.counts[joined.recovered ? 'recovered' : attempt.resumes ? 'begunAgain' : 'joined'] += 1;
    if (joined.recovered) this.#recovered(attempt, joined);
    else this.#begun(joined);
    for (const had of this.old.values())
      if (had.life?.id === joined.self.id) had.until = Math.min(had.until, joined.seq);
    this.heardBy(link);
    this.#answered(joined);
    if (joined.recovered) this.say([]);
  }

  #recovered({ resumes }: Attempt, joined: Joined): void {
    const { world } = this;
    if (!resumes) return world.violated('resume', 'a new peer got recovered: true', joined);
    if (joined.self.id !== resumes.id || joined.session !== resumes.session)
      world.violated('resume', `the session of ${resumes.id} went on as another`, joined);
  }

  #begun(joined: Joined): void {
    if (this.life) this.life.ended = true;
    const { seq, session, self, peers } = joined;
    const epochs = new Map(peers.map(({ id, epoch }) => [id, epoch]));
    const compared = { received: 0, upTo: seq, round: 0 };
    const base = { id: self.id, session, start: seq, last: seq, compared, epochs };
    this.life = { ...base, received: [], sent: [], doubtful: false, leaving: false, ended: false };
    this.world.lives.push(this.life);
  }

  #acked(link: Link, n: number): void {
    const life = this.#lifeOf(link);
    if (!life) return;
    if (n > life.sent.length) this.world.violated('acknowledgement', `${n} was acknowledged and never sent`, life.id);
    for (const sent of life.sent.slice(0, n)) {
      // A message that an older connection acknowledges may have been refused on the newer one, whose error is still to come.
      if (sent.settled === undefined && link !== this.link) sent.lossy = true;
      sent.settled ??= 'acked';
    }
  }

  #refused(link: Link, code: ErrorCode, n: number | undefined, retry: number | undefined): void {
    if (n === undefined) {
      if (this.attempt?.link === link && this.attempt.outcome === undefined) this.#answered(code);
      return;
    }
    const sent = this.#lifeOf(link)?.sent[n - 1];
    if (!sent) return;
    sent.on = undefined;
    if (retry === undefined) sent.settled ??= code;
    else if (sent.settled !== undefined && code === 'out-of-order' && link === this.link)
      this.world.violated('acknowledgement', `${n} was settled and is now refused as out of order`, sent);
  }

  #receive(link: Link, event: ReceivedEvent): void {
    const { world, life } = this;
    if (link !== this.link) {
      const had = this.old.get(link);
      // A late request for events is a sign of life when nothing else is.
      const isLate = this.late && link.kind === 'HTTP';
      if (had && event.seq > had.until && !isLate)
        world.violated('one connection', `a connection that was replaced at ${had.until} still delivers`, event);
      return;
    }
    if (event.type === 'peer-left' && event.peer === life?.id) return this.#kicked(link, event.reason);
    if (!life) return world.violated('once, in order', 'an event came before the answer to the join', event);
    if (event.seq <= life.last)
      world.violated(
        'once, in order',
        `${life.id} had received events up to ${life.last}`,
        event,
        life.received.slice(-5),
      );
    life.last = event.seq;
    life.received.push(event);
    if (event.type === 'peer-joined') life.epochs.set(event.peer.id, event.peer.epoch);
    world.recordEvent(this, life, event);
  }

  /** By plain HTTP it gets it like every peer. */
  #kicked(link: Link, reason: string): void {
    if (reason !== 'kicked') this.world.violated('only to whom it concerns', 'it received its own leaving', reason);
    link.cut('rudely');
    this.link = undefined;
    this.die();
  }

  #lifeOf(link: Link): Life | undefined {
    return link === this.link ? this.life : this.old.get(link)?.life;
  }

  #numbered(life: Life, fields: Fields): Sent {
    const n = life.sent.length + 1;
    const tag = `${this.world.lives.indexOf(life)}.${n}`;
    const message = tagged(fields, n, tag);
    const sent: Sent = {
      ...{ n, tag, from: life, message, low: this.world.seq, high: undefined, settledIn: 0 },
      ...{ settled: undefined, on: undefined, lossy: this.link?.condition !== 'whole' },
      ...{ seq: undefined, receivers: new Set<Life>() },
    };
    this.world.sent.set(tag, sent);
    this.world.open.push(sent);
    return sent;
  }
}
