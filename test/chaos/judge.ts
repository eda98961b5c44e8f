/**
 * Says of a crowd's conversation what should not have been: hears what every peer sent, was acknowledged and heard, and counts.
 * It knows nothing of servers; time is an argument, in ms.
 */

export type Message = { from: string; n: number };
/** `to`: of a signal; a text goes to everyone in the room. */
type Sent = Message & { room: string; to?: string; at: number; acked?: number; heard: Set<string> };

/** ms for an acknowledged message to arrive: a page that is closed within this time may not hear it. */
const underWay = 1000;

/** What nobody should have to see, how many of it. */
export type Verdict = {
  acknowledged: number;
  lost: number;
  duplicated: number;
  disordered: number;
  ghosts: number;
  wronglyLeft: number;
};

/** While `since`: in the room, for the room's events; `gap`: when it was not, and the session did not go on; `closed`: its page. */
type Member = {
  name: string;
  room: string;
  since: number;
  gaps: { from: number; to: number }[];
  lost?: number;
  closed?: number;
};

/** Of findings so many are kept in words. */
const most = 20;

export class Judge {
  /** What was found as it happened, and by the last verdict, in words. */
  get findings(): string[] {
    return [...this.#found, ...this.#atLast.slice(0, most)];
  }

  readonly #found: string[] = [];
  #atLast: string[] = [];
  readonly #members = new Map<string, Member>();
  readonly #sent = new Map<string, Sent>();
  /** By receiver and sender: the highest number so far. */
  readonly #order = new Map<string, number>();
  /** Whom a room has taken for gone, and when. */
  readonly #left = new Map<string, number[]>();
  /** Those who may be taken for gone. */
  readonly #excused = new Set<string>();
  readonly #counts = { duplicated: 0, disordered: 0, wronglyLeft: 0 };

  /** A peer is in its room: from now on, or with its session of before (`recovered`). */
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

  /** Its page is closed: it hears nothing any more, and nobody has to see it. */
  closed(name: string, at: number): void {
    const known = this.#members.get(name);
    if (known) known.closed = at;
  }

  /** It is kept away from now on for so long that its room may give it up. */
  excuse(name: string, at: number): void {
    this.#excused.add(name);
    this.away(name, at);
  }

  sent(from: string, n: number, room: string, at: number, to?: string): void {
    this.#sent.set(`${from} ${n}`, { from, n, room, at, heard: new Set(), ...(to === undefined ? {} : { to }) });
  }

  acknowledged(from: string, n: number, at: number): void {
    const sent = this.#sent.get(`${from} ${n}`);
    if (sent) sent.acked = at;
  }

  heard(by: string, { from, n }: Message): void {
    const sent = this.#sent.get(`${from} ${n}`);
    if (!sent) return this.#find('disordered', `${by} heard ${from} ${n}, which nobody sent`);
    if (sent.heard.has(by)) return this.#find('duplicated', `${by} heard ${from} ${n} twice`);
    sent.heard.add(by);
    const pair = `${by} ${from}`;
    const before = this.#order.get(pair) ?? 0;
    if (n < before) return this.#find('disordered', `${by} heard ${from} ${n} after ${before}`);
    this.#order.set(pair, n);
  }

  /** A peer was told that another has left; of those whom the judge does not know anyone may leave. */
  left(by: string, who: string, at: number): void {
    if (!this.#members.has(who)) return;
    this.#left.set(who, [...(this.#left.get(who) ?? []), at]);
    if (!this.#excused.has(who)) this.#find('wronglyLeft', `${by} was told that ${who} has left`);
  }

  /** @param views whom each peer sees at the end, itself not among them; `here`: everyone who is in a room, by room */
  verdict(views: Map<string, string[]>, here: Map<string, string[]>): Verdict {
    this.#atLast = [];
    const { lost, acknowledged } = this.#lost();
    return { acknowledged, lost, ...this.#counts, ghosts: this.#ghosts(views, here) };
  }

  /** Acknowledged, and not heard by one who was there; a peer that its room had given up is not told what it missed. */
  #lost(): { lost: number; acknowledged: number } {
    const byRoom = Map.groupBy(this.#members.values(), ({ room }) => room);
    let [lost, acknowledged] = [0, 0];
    for (const sent of this.#sent.values()) {
      if (sent.acked === undefined) continue;
      acknowledged += 1;
      for (const member of byRoom.get(sent.room) ?? []) {
        if (member.name === sent.from || (sent.to ?? member.name) !== member.name || sent.heard.has(member.name))
          continue;
        if (sent.at < member.since || this.#wasGivenUp(member, sent)) continue;
        if (sent.acked > (member.closed ?? Number.POSITIVE_INFINITY) - underWay) continue;
        lost += 1;
        this.#atLast.push(`${member.name} never heard ${sent.from} ${sent.n}`);
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

  #find(what: 'duplicated' | 'disordered' | 'wronglyLeft', said: string): void {
    this.#counts[what] += 1;
    if (this.#found.length < most) this.#found.push(said);
  }
}

/** Of sorted numbers the one below which this share of them lies. */
export const quantile = (sorted: number[], share: number): number =>
  sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? 0;
