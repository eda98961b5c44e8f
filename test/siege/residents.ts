/** A hundred honest peers in thirty rooms, who talk, close and load their pages again, and lose their networks; and who hosts them. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { RoomEvent } from '../../app/client/connection.ts';
import type { Transport } from '../../app/client/transport.ts';
import { Crowd, Member } from '../chaos/crowd.ts';
import { hostAtHome, hostInOffice, known, passcode } from './addresses.ts';
import type { Network } from './network.ts';

/** Peers in a room; over and over. */
const sizes = [2, 3, 3, 4, 2, 6];
const rooms = 30;
const inOffice = 30;
/** Every seventh uses streams, every seventh polls. */
const transports: Transport[] = ['websocket', 'websocket', 'websocket', 'sse', 'websocket', 'poll', 'websocket'];
/** ms between two accidents: reloads, lost connections, networks that are gone for a while. */
const accidentEvery = 400;
const outage = 1500;
/** ms for a page to be loaded again; ms in which nothing further happens to the same peer. */
const loading = 500;
/** ms after which a page that is loaded again is too late: the server's `return-grace`, less the way there. */
const returnGrace = 4500;
const recovery = 6000;

type Resident = {
  name: string;
  host: string;
  url: string;
  room: string;
  isHost: boolean;
  transport: Transport;
  member: Member;
  pages: number;
  calmFrom: number;
};

export class Residents {
  readonly crowd = new Crowd();
  readonly rooms: string[] = [];
  /** Rooms that have another host than at the beginning. */
  readonly hostsChanged = new Set<string>();
  /** Sessions that did not go on after a lost connection. */
  notRecovered = 0;
  resumed = 0;
  reloaded = 0;
  /** Rooms in which a page was not back within `return-grace`, one for each: who is so late has left, and may host no more. */
  readonly late: string[] = [];
  readonly #network: Network;
  readonly #port: number;
  readonly #residents: Resident[] = [];
  #accidents: NodeJS.Timeout | undefined;

  constructor(network: Network, port: number) {
    this.#network = network;
    this.#port = port;
  }

  /** Hosts first, so that it is known who hosts. */
  async enter(): Promise<void> {
    for (let nth = 0; nth < rooms; nth += 1) this.rooms.push(Object.values(known)[nth] ?? `quiet-${nth}`);
    for (const room of this.rooms) this.#settle(room, true);
    await this.#everyoneIsIn();
    for (const [nth, room] of this.rooms.entries())
      for (let more = 1; more < (sizes[nth % sizes.length] ?? 2); more += 1) this.#settle(room, false);
    await this.#everyoneIsIn();
    await this.#hostOf(known.passcode)?.connection.decide({ type: 'passcode', passcode });
    await this.#hostOf(known.knock)?.connection.decide({ type: 'lock', access: 'knock' });
  }

  talk(pause: number): void {
    this.crowd.talk(pause);
    let nth = 0;
    this.#accidents = setInterval(() => {
      nth += 1;
      // 37 and the number of residents have no divisor in common: everyone's turn comes.
      const resident = this.#residents[(nth * 37) % this.#residents.length];
      if (!resident?.member.isIn || performance.now() < resident.calmFrom) return;
      resident.calmFrom = performance.now() + recovery;
      if (nth % 3 === 0) void this.#reload(resident);
      else this.#network.cut(resident.host, nth % 9 === 1 ? outage : 0);
    }, accidentEvery);
  }

  /** Stops talking, and waits until everyone is there and has heard what it should have, at most `ms`. */
  async end(ms: number): Promise<void> {
    this.#stop();
    const { crowd } = this;
    const isCalm = () => crowd.members.every((member) => member.isIn && member.isAnswered);
    for (const late = performance.now() + ms; performance.now() < late; await sleep(250))
      if (isCalm() && crowd.verdict().lost === 0) return;
  }

  leave(): void {
    this.#stop();
    this.crowd.leave();
  }

  #stop(): void {
    clearInterval(this.#accidents);
    this.crowd.stop();
  }

  #settle(room: string, isHost: boolean): void {
    const nth = this.#residents.length;
    // From every room some, and hosts as well.
    const host = nth % 10 < inOffice / 10 ? hostInOffice(nth) : hostAtHome(nth);
    const url = `ws://${host}:${this.#port}/rooms/${room}/ws`;
    const transport = transports[nth % transports.length] ?? 'websocket';
    const name = `resident-${nth}`;
    const member = new Member(this.crowd, name, room, url, { open: this.#network.opener(transport) });
    const resident: Resident = { name, host, url, room, isHost, transport, member, pages: 1, calmFrom: 0 };
    this.crowd.members.push(member);
    this.#residents.push(resident);
    this.#watch(resident);
  }

  /** The page is closed, and another takes its seat. */
  async #reload(resident: Resident): Promise<void> {
    const { member: before, room, url, transport } = resident;
    const { session } = before.connection;
    this.crowd.judge.closed(before.name, performance.now());
    before.connection.leave(true);
    const late = setTimeout(() => {
      this.late.push(room);
      this.crowd.judge.excuse(before.name, performance.now());
    }, returnGrace);
    await sleep(loading);
    // The page itself is asked for in between, so that its join comes after the goodbye of the page before.
    await fetch(`http://${resident.host}:${this.#port}/rooms/${room}`).catch(() => {});
    this.#network.newPage(resident.host);
    this.reloaded += 1;
    resident.pages += 1;
    const name = `${resident.name}.${resident.pages}`;
    const ways = { open: this.#network.opener(transport), session };
    resident.member = new Member(this.crowd, name, room, url, ways);
    this.crowd.members[this.crowd.members.indexOf(before)] = resident.member;
    resident.member.connection.on('joined', () => clearTimeout(late));
    this.#watch(resident);
  }

  #watch(resident: Resident): void {
    const { connection } = resident.member;
    let entered = 0;
    connection.on('joined', ({ self, recovered }) => {
      if (entered > 0) {
        if (recovered) this.resumed += 1;
        else this.notRecovered += 1;
      }
      entered += 1;
      if ((self.role === 'host') !== resident.isHost) this.hostsChanged.add(resident.room);
    });
    connection.on('event', (event) => this.#happened(resident, event));
  }

  #happened({ isHost, room, member }: Resident, event: RoomEvent): void {
    if (event.type === 'peer-updated' && event.role !== undefined) this.hostsChanged.add(room);
    // Who knocks and is honest says so; a resident knocks that came too late for its seat.
    if (event.type !== 'lobby' || !isHost) return;
    for (const { id, name = '' } of event.waiting)
      if (/^(newcomer|resident)/.test(name)) void member.connection.decide({ type: 'admit', peer: id });
  }

  #hostOf(room: string): Member | undefined {
    return this.#residents.find((resident) => resident.room === room && resident.isHost)?.member;
  }

  async #everyoneIsIn(): Promise<void> {
    const late = performance.now() + 30_000;
    while (!this.crowd.members.every(({ isIn }) => isIn)) {
      if (performance.now() > late) throw new Error('not everyone is in after 30 s');
      await sleep(50);
    }
  }
}
