/** A hundred honest peers in thirty rooms, that chat, close and reload their pages, and lose their networks; and who hosts the rooms. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { RoomEvent } from '../../app/client/signaling.ts';
import type { Transport } from '../../app/client/transport.ts';
import { Crowd, Member } from '../chaos/crowd.ts';
import { hostAtHome, hostInOffice, known, passcode } from './addresses.ts';
import type { Network } from './network.ts';

/** Peers in a room; repeated. */
const sizes = [2, 3, 3, 4, 2, 6];
const rooms = 30;
const inOffice = 30;
/** Every seventh uses streams, every seventh polls. */
const transports: Transport[] = ['websocket', 'websocket', 'websocket', 'sse', 'websocket', 'poll', 'websocket'];
/** ms between two disturbances: reloads, lost connections, networks that are down for a while. */
const accidentEvery = 400;
const outage = 1500;
/** ms for a page to reload; ms without another disturbance of the same peer. */
const loading = 500;
/** ms after which a reloaded page is too late: the server's `return-grace`, less the network delay. */
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
  /** Rooms that have another host than at the start. */
  readonly hostsChanged = new Set<string>();
  /** Sessions that were not resumed after a lost connection. */
  notRecovered = 0;
  resumed = 0;
  reloaded = 0;
  /** Rooms in which a page was not back within `return-grace`, one for each: such a peer has left, and may not be host any more. */
  readonly late: string[] = [];
  readonly #network: Network;
  readonly #port: number;
  readonly #residents: Resident[] = [];
  #accidents: NodeJS.Timeout | undefined;

  constructor(network: Network, port: number) {
    this.#network = network;
    this.#port = port;
  }

  /** Hosts first, so that the first host is known. */
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
      // 37 and the number of residents have no common divisor: every peer gets its turn.
      const resident = this.#residents[(nth * 37) % this.#residents.length];
      if (!resident?.member.isIn || performance.now() < resident.calmFrom) return;
      resident.calmFrom = performance.now() + recovery;
      if (nth % 3 === 0) void this.#reload(resident);
      else this.#network.cut(resident.host, nth % 9 === 1 ? outage : 0);
    }, accidentEvery);
  }

  /** Stops sending, and waits until every peer is present and has received what it should, at most `ms`. */
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
    // Some of every room, hosts included.
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
    // The page itself is requested in between, so that its join arrives after the leave of the previous page.
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
    // An honest peer in the lobby is expected; a resident waits there if it came too late for its seat.
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
