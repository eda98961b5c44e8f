/** One room, its callers, and everything that was sent and received, from an empty room to an empty room. */
import { Caller } from './caller.ts';
import { type Attempt, faithful, type Life, type ReceivedEvent, type Sent, tagOf } from './life.ts';
import type { Link } from './links.ts';
import type { Place } from './place.ts';
import { RoomModel } from './room-model.ts';
import type { WebSocketLink } from './websocket-link.ts';

/** A violated guarantee, with the evidence. */
export class Violation extends Error {
  constructor(guarantee: string, what: string, evidence: unknown[]) {
    super([`${guarantee}: ${what}`, ...evidence.map((one) => JSON.stringify(one, plain))].join('\n  '));
  }
}

/** ms of real time that any step may take. */
const patience = 30_000;
/** The number of recent log lines kept for a report. */
const trailLength = 120;

export class World {
  readonly path: string;
  readonly room: string;
  readonly callers: Caller[];
  /** Stays in the room from first to last on a link without faults, so that it receives every event for all. */
  readonly witness: Caller;
  model: RoomModel | undefined;
  round = 1;
  /** Of every peer that ever joined. */
  readonly lives: Life[] = [];
  readonly sent = new Map<string, Sent>();
  /** Those still to be checked. */
  attempts: Attempt[] = [];
  open: Sent[] = [];
  /** More was sent in this room than max-unsent-bytes. */
  isHeavy = false;
  /** How many may have joined without the test knowing. */
  lostJoins = 0;
  /** Those whose leave was answered in this round. */
  gone: Life[] = [];
  /** WebSockets without a join, and since when. */
  idle: { link: WebSocketLink; since: number }[] = [];
  /** ms that the clock advances at the end of the round. */
  jump = 0;
  /** The clock before its latest advance. */
  before: number;
  readonly counts = { joined: 0, recovered: 0, begunAgain: 0, refused: 0, left: 0, timedOut: 0 };
  readonly steps: string[] = [];
  readonly trail: string[] = [];
  violation: Violation | undefined;
  readonly place: Place;
  #waiting: (() => void) | undefined;
  /** By receiver and sender: the latest number. */
  readonly #orders = new Map<Life, Map<Life, number>>();

  constructor(place: Place, room: string, callers: number) {
    this.place = place;
    this.path = place.path;
    this.room = room;
    this.before = place.now();
    this.callers = Array.from({ length: callers }, (_, slot) => new Caller(this, slot));
    this.witness = this.callers[0] ?? new Caller(this, 0);
  }

  /** The last event that the witness knows. */
  get seq(): number {
    return this.witness.life?.last ?? 0;
  }

  now(): number {
    return this.place.now();
  }

  /** Lets the witness create the room. */
  async begin(): Promise<void> {
    this.witness.enter('WebSocket');
    await this.until('the first join', () => this.witness.attempt?.outcome !== undefined);
    const { life } = this.witness;
    if (!life) throw new Violation('joining', 'an empty room could not be entered', [this.witness.attempt?.outcome]);
    this.attempts = [];
    this.model = new RoomModel(life.id, life.start, this.violated);
  }

  note(text: string): void {
    if (this.trail.push(text) > trailLength) this.trail.shift();
  }

  /** Something was received: waiting code checks again. */
  wake(): void {
    this.#waiting?.();
  }

  readonly violated = (guarantee: string, what: string, ...evidence: unknown[]): void => {
    this.violation ??= new Violation(guarantee, what, evidence);
    this.wake();
  };

  /** Throws the violation, if there was one. */
  check(): void {
    if (this.violation) throw this.violation;
  }

  /**
   * Resolves as soon as the condition holds.
   * @throws Violation if it never does
   */
  async until(what: string, so: () => boolean, evidence: () => unknown = () => undefined): Promise<void> {
    const late = Date.now() + patience;
    for (;;) {
      this.check();
      if (so()) return;
      if (Date.now() > late) throw new Violation('everything is answered', `${what} did not come`, [evidence()]);
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, 5);
        this.#waiting = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
  }

  /** A caller received something. */
  recordEvent(caller: Caller, life: Life, event: ReceivedEvent): void {
    if (caller === this.witness) this.model?.apply(event, [this.before, this.now()]);
    if (event.type === 'peer-left' && caller === this.witness)
      this.counts[event.reason === 'timeout' ? 'timedOut' : 'left'] += 1;
    if (event.type === 'peer-away' && caller === this.witness) this.#wasExpected(event.peer);
    const tag = tagOf(event);
    if (tag === undefined) return;
    const sent = this.sent.get(tag);
    if (!sent) return this.violated('nothing is invented', 'no peer sent this', event);
    this.#judge(sent, life, event);
    sent.seq = event.seq;
    sent.receivers.add(life);
  }

  #judge(sent: Sent, life: Life, event: ReceivedEvent): void {
    const { message, settled, seq, from, n } = sent;
    const evidence = [{ n, message, settled, seq }, event];
    if (!faithful(sent, event)) this.violated('signals are relayed unread', 'this is not what was sent', ...evidence);
    if (seq !== undefined && seq !== event.seq) this.violated('accepted once', 'a message came twice', ...evidence);
    if (settled !== undefined && settled !== 'acked')
      this.violated('refused is not delivered', `it was refused as ${settled}`, ...evidence);
    if (from.id === life.id || (message.to !== undefined && message.to !== life.id))
      this.violated('only to whom it concerns', `it came to ${life.id}`, ...evidence);
    const order = this.#orders.get(life) ?? new Map<Life, number>();
    this.#orders.set(life, order);
    if (n <= (order.get(from) ?? 0))
      this.violated('in the order of the sender', `after ${order.get(from)}`, ...evidence);
    order.set(from, n);
  }

  /** No connected peer is away. */
  #wasExpected(id: string): void {
    const caller = this.callers.find(({ life }) => life?.id === id);
    if (!caller) return;
    const excused = caller.link?.kind === 'HTTP' ? this.now() >= caller.promised : caller.disturbed || caller.isHasty;
    if (!excused) this.violated('away', `${id} counts as away, and its connection holds`, this.now(), caller.promised);
  }

  /** Links of a caller, and former ones. */
  links(): Link[] {
    const own = this.callers.flatMap(({ link, old }) => (link ? [link, ...old.keys()] : [...old.keys()]));
    return [...own, ...this.idle.map(({ link }) => link)];
  }
}

/** Lives refer to each other; printing their id is enough. */
const plain = (key: string, value: unknown): unknown => {
  if (key === 'received' || key === 'from' || key === 'on' || key === 'receivers' || key === 'link') return undefined;
  return value instanceof Map ? Object.fromEntries(value) : value;
};
