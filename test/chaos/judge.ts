/**
 * Finds violations in a crowd's messages: records what every peer sent, had acknowledged and received, and counts. It knows nothing of
 * servers; time is an argument, in ms.
 */

export type Message = { from: string; n: number };
/** `to`: for a signal; a text goes to everyone in the room. */
type Sent = Message & { room: string; to?: string; at: number; acked?: number; received: Set<string> };

/** ms for an acknowledged message to arrive: a page closed within this time may miss it. */
const underWay = 1000;

/** The number of violations by kind. */
export type Verdict = {
  acknowledged: number;
  lost: number;
  duplicated: number;
  disordered: number;
  ghosts: number;
  wronglyLeft: number;
};

/**
 * `since`: present in the room, as far as its events go; `gap`: absent, with a session that was not resumed; `closed`: its page was closed.
 */
type Member = {
  name: string;
  room: string;
  since: number;
  gaps: { from: number; to: number }[];
  lost?: number;
  closed?: number;
};

/** The number of findings kept as text. */
const most = 20;

export class Judge {
  /** Findings so far, and of the latest verdict, as text. */
  get findings(): string[] {
    return [...this.#found, ...this.#atLast.slice(0, most)];
  }

  readonly #found: string[] = [];
  #atLast: string[] = [];
  readonly #members = new Map<string, Member>();
  readonly #sent = new Map<string, Sent>();
  /** By receiver and sender: the highest number so far. */
  readonly #order = new Map<string, number>();
  /** The peers that a room reported as left, and when. */
  readonly #left = new Map<string, number[]>();
  /** The peers that may be reported as left. */
  readonly #excused = new Set<string>();
  readonly #counts = { duplicated: 0, disordered: 0, wronglyLeft: 0 };

  /** A peer is in its room from now on, or with its earlier session (`recovered`). */
  joined(name: string, room: string, at: number, recovered: boolean): void {
    const known = this.#members.get(name);
    if (!known) this.#members.set(name, { name, room, since: at, gaps: [] });
    else {
      if (!recovered) known.gaps.push({ from: known.lost ?? at, to: at });
      delete known.lost;
    }
  }

  /** Its connection is lost. */
  away(name: string, at: number): void {
    const known = this.#members.get(name);
    if (known) known.lost ??= at;
  }

  /** Its page is closed: it receives nothing more, and may be missing from lists. */
  closed(name: string, at: number): void {
    const known = this.#members.get(name);
    if (known) known.closed = at;
  }

  /** It is cut off from now on for so long that its room may report it as left. */
  excuse(name: string, at: number): void {
    this.#excused.add(name);
    this.away(name, at);
  }

  sent(from: string, n: number, room: string, at: number, to?: string): void {
    this.#sent.set(`${from} ${n}`, { from, n, room, at, received: new Set(), ...(to === undefined ? {} : { to }) });
  }

  acknowledged(from: string, n: number, at: number): void {
    const sent = this.#sent.get(`${from} ${n}`);
    if (sent) sent.acked = at;
  }

  received(by: string, { from, n }: Message): void {
    const sent = this.#sent.get(`${from} ${n}`);
    if (!sent) return this.#find('disordered', `${by} received ${from} ${n}, which nobody sent`);
    if (sent.received.has(by)) return this.#find('duplicated', `${by} received ${from} ${n} twice`);
    sent.received.add(by);
    const pair = `${by} ${from}`;
    const before = this.#order.get(pair) ?? 0;
    if (n < before) return this.#find('disordered', `${by} received ${from} ${n} after ${before}`);
    this.#order.set(pair, n);
  }

  /** A peer received that another has left; peers unknown to the judge may leave at any time. */
  left(by: string, who: string, at: number): void {
    if (!this.#members.has(who)) return;
    this.#left.set(who, [...(this.#left.get(who) ?? []), at]);
    if (!this.#excused.has(who)) this.#find('wronglyLeft', `${by} received that ${who} has left`);
  }

  /** @param views the peers that each peer lists at the end, without itself; `here`: every peer in a room, by room */
  verdict(views: Map<string, string[]>, here: Map<string, string[]>): Verdict {
    this.#atLast = [];
    const { lost, acknowledged } = this.#lost();
    return { acknowledged, lost, ...this.#counts, ghosts: this.#ghosts(views, here) };
  }

  /** Acknowledged, and not received by a peer that was present; a peer that its room reported as left does not get what it missed. */
  #lost(): { lost: number; acknowledged: number } {
    const byRoom = Map.groupBy(this.#members.values(), ({ room }) => room);
    let [lost, acknowledged] = [0, 0];
    for (const sent of this.#sent.values()) {
      if (sent.acked === undefined) continue;
      acknowledged += 1;
      for (const member of byRoom.get(sent.room) ?? []) {
        if (member.name === sent.from || (sent.to ?? member.name) !== member.name || sent.received.has(member.name))
          continue;
        if (sent.at < member.since || this.#wasGivenUp(member, sent)) continue;
        if (sent.acked > (member.closed ?? Number.POSITIVE_INFINITY) - underWay) continue;
        lost += 1;
        this.#atLast.push(`${member.name} never received ${sent.from} ${sent.n}`);
      }
    }
    return { lost, acknowledged };
  }

  #wasGivenUp({ name, gaps }: Member, { at, acked = at }: Sent): boolean {
    const left = this.#left.get(name) ?? [];
    return gaps.some(({ from, to }) => acked >= from && at <= to && left.some((time) => time >= from && time <= to));
  }

  #ghosts(views: Map<string, string[]>, here: Map<string, string[]>): number {
    let ghosts = 0;
    for (const [room, names] of here)
      for (const name of names) {
        const seen = views.get(name) ?? [];
        const odd = [
          ...seen.filter((other) => !names.includes(other)).map((other) => `sees ${other}, who is not there`),
          ...names.filter((other) => other !== name && !seen.includes(other)).map((other) => `does not see ${other}`),
          ...(new Set(seen).size < seen.length ? ['sees one twice'] : []),
        ];
        for (const what of odd) this.#atLast.push(`${name} in ${room} ${what}`);
        ghosts += odd.length;
      }
    return ghosts;
  }

  #find(what: 'duplicated' | 'disordered' | 'wronglyLeft', text: string): void {
    this.#counts[what] += 1;
    if (this.#found.length < most) this.#found.push(text);
  }
}

/** The value in sorted numbers below which this share of them is. */
export const quantile = (sorted: number[], share: number): number =>
  sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? 0;
