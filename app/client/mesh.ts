/** All links of a room, kept in step with who is in it. */
import type { Joined, LeaveReason, Peer, PeerId } from '../protocol/messages.ts';
import { Allowance } from './allowance.ts';
import { type Received, read } from './channel.ts';
import { Alarm, browserClock, type Clock } from './clock.ts';
import type { ConnectionEvents, ConnectionState, RoomEvent } from './connection.ts';
import type { Emitter, Source } from './events.ts';
import { Link, type LinkState, type LinkTiming, usualLinkTiming } from './link.ts';
import { LinkMonitor } from './link-monitor.ts';
import type { Quality } from './quality.ts';
import { browserRtc, type Ice, type Rtc, type Tracks } from './rtc.ts';
import { defaultStatsInterval } from './timeouts.ts';

/** Another peer as the page shows it: a value, replaced as a whole when anything changes. */
export type RemotePeer = Readonly<
  Pick<Peer, 'id' | 'name' | 'role' | 'media' | 'hand' | 'away'> & {
    connectionState: LinkState;
    stream: MediaStream;
    quality?: Quality | undefined;
  }
>;

export type MeshEvents = {
  'peer-joined': RemotePeer;
  'peer-updated': RemotePeer;
  'peer-left': { peer: RemotePeer; reason: LeaveReason };
  /** How good the path to a peer is, every few seconds; `peer-updated` tells only of another level. */
  quality: { peer: PeerId; quality: Quality };
  /** The data channel to a peer is open, or another one after a fresh connection. */
  channel: PeerId;
  data: { from: PeerId; data: Received; allowance: Allowance };
  /** A failure that was survived, for whoever keeps a log. */
  warning: { peer: PeerId; error: unknown };
};

/** What the mesh needs of a connection. */
export type Signaling = Source<ConnectionEvents> & {
  readonly state: ConnectionState;
  signal(to: PeerId, epoch: number, data: NonNullable<unknown>): unknown;
};

export type MeshOptions = {
  /** Where its events go. */
  emitter: Pick<Emitter<MeshEvents>, 'emit'>;
  tracks: Tracks;
  iceTransportPolicy?: RTCIceTransportPolicy;
  rtc?: Rtc;
  clock?: Clock;
  timing?: Partial<LinkTiming & { statsInterval: number }>;
};

/** JSON has no undefined. */
type Change = Partial<Pick<Peer, 'name' | 'media' | 'hand' | 'role' | 'away'>>;
/** `missing`: a room that began anew does not have it, or not yet, and the link works on. */
type Entry = { peer: Peer; link: Link; care: LinkMonitor; allowance: Allowance; missing?: true };

/** Peers that there are links to. A mesh carries far fewer; further peers are ignored. */
const most = 64;
/** Milliseconds until what a peer tells of itself too often is shown. */
const settling = 1_000;

export class Mesh {
  #signaling: Signaling;
  #tracks: Tracks;
  #rtc: Rtc;
  #clock: Clock;
  #timing: LinkTiming & { statsInterval: number };
  #ice: Ice;
  #entries = new Map<PeerId, Entry>();
  #emitter: MeshOptions['emitter'];
  #deaf: (() => void)[];
  /** The next look at the paths. */
  #alarm: Alarm;
  /** When those who are missing are given up. */
  #patience: Alarm;
  #self: PeerId | undefined;
  /** Who changed too often to be shown at once, and when that will be. */
  #changed = new Set<PeerId>();
  #settling: Alarm;

  constructor(
    signaling: Signaling,
    { emitter, tracks, iceTransportPolicy = 'all', rtc = browserRtc, clock = browserClock, timing = {} }: MeshOptions,
  ) {
    this.#emitter = emitter;
    this.#signaling = signaling;
    this.#tracks = tracks;
    this.#ice = { iceServers: [], iceTransportPolicy };
    this.#rtc = rtc;
    this.#clock = clock;
    this.#timing = { ...usualLinkTiming, statsInterval: defaultStatsInterval, ...timing };
    this.#alarm = new Alarm(clock);
    this.#patience = new Alarm(clock);
    this.#settling = new Alarm(clock);
    this.#deaf = [
      signaling.on('joined', (joined) => {
        if (!joined.recovered) return this.#startFrom(joined);
        this.#setIce(joined.ice);
        this.#healAll();
      }),
      signaling.on('ice', (ice) => {
        this.#setIce(ice);
        this.#healAll();
      }),
      signaling.on('event', (event) => this.#happened(event)),
    ];
  }

  get peers(): RemotePeer[] {
    return [...this.#entries.values()].map(snapshot);
  }

  /** Sends these tracks to everyone, now and later. */
  setTracks(tracks: Tracks): void {
    this.#tracks = tracks;
    for (const { link } of this.#entries.values()) link.setTracks(tracks);
    this.#limitAll();
  }

  link(id: PeerId): Link | undefined {
    return this.#entries.get(id)?.link;
  }

  /** This device has another network. */
  networkChanged(): void {
    for (const { link } of this.#entries.values()) link.networkChanged();
  }

  close(): void {
    for (const stop of this.#deaf) stop();
    this.#alarm.disarm();
    this.#patience.disarm();
    this.#settling.disarm();
    for (const { link } of this.#entries.values()) link.close();
    this.#entries.clear();
  }

  // ── what the room tells ───────────────────────────────────────────────────────────────────────────────────────────

  /** A room that was lost fills again, one after the other: whom it does not have yet it may have soon. */
  #startFrom({ self, peers, ice, grace }: Joined): void {
    const present = new Set(peers.map(({ id }) => id));
    for (const [id, entry] of [...this.#entries]) {
      // The others do not know this side by another name.
      if (self.id !== this.#self) entry.link.close();
      if (present.has(id)) continue;
      if (entry.link.state !== 'connected') this.#remove(id, 'left');
      else {
        entry.missing = true;
        this.#update(id, { away: true });
      }
    }
    this.#self = self.id;
    this.#setIce(ice);
    for (const peer of peers) this.#put(peer);
    this.#patience.arm(grace, () => {
      for (const { peer, missing } of [...this.#entries.values()]) if (missing) this.#remove(peer.id, 'timeout');
    });
  }

  #setIce(ice: Joined['ice']): void {
    this.#ice = { ...this.#ice, iceServers: ice as RTCIceServer[] };
    // Another path cannot be agreed on with whom signals do not reach.
    for (const { link, missing } of this.#entries.values()) if (!missing) link.setIce(this.#ice);
  }

  #healAll(): void {
    for (const { link } of this.#entries.values()) link.heal();
  }

  #happened(event: RoomEvent): void {
    switch (event.type) {
      case 'peer-joined':
        if (this.#entries.get(event.peer.id)?.peer.epoch !== event.peer.epoch) this.#put(event.peer);
        return;
      case 'peer-updated': {
        const { type: _, seq: __, peer, ...change } = event;
        return this.#update(peer, change as Change);
      }
      case 'peer-away':
        return this.#update(event.peer, { away: true });
      case 'peer-back':
        this.#update(event.peer, { away: false });
        return this.#heal(event.peer);
      case 'peer-left':
        return this.#remove(event.peer, event.reason);
      case 'signal':
        return this.#deliver(event.from, event.epoch, event.data);
      default:
        event.type satisfies 'chat' | 'room-updated' | 'mute-request' | 'lobby' | 'waiting-updated';
    }
  }

  #heal(id: PeerId): void {
    const entry = this.#entries.get(id);
    if (entry?.allowance.take('description')) entry.link.heal();
  }

  #deliver(from: PeerId, epoch: number, data: unknown): void {
    const entry = this.#entries.get(from);
    // Any other epoch is of before, or this side has not been told of it.
    if (entry?.peer.epoch === epoch) entry.link.receive(data);
  }

  // ── the entries ───────────────────────────────────────────────────────────────────────────────────────────────────

  /** Takes in a peer; of one that is known already a link that works goes on, any other is made anew. */
  #put(peer: Peer): void {
    const known = this.#entries.get(peer.id);
    if (known?.link.goOn(peer)) {
      known.peer = peer;
      if (known.missing) known.link.setIce(this.#ice);
      delete known.missing;
      return this.#emitter.emit('peer-updated', snapshot(known));
    }
    if (!known && this.#entries.size >= most) return;
    known?.link.close();
    const allowance = known?.allowance ?? new Allowance();
    const entry: Entry = { peer, link: this.#link(peer, allowance), care: new LinkMonitor(), allowance };
    this.#entries.set(peer.id, entry);
    this.#limitAll();
    if (!this.#alarm.armed) this.#lookLater();
    this.#emitter.emit(known ? 'peer-updated' : 'peer-joined', snapshot(entry));
  }

  #link(peer: Peer, allowance: Allowance): Link {
    const { id } = peer;
    const current = () => {
      const entry = this.#entries.get(id);
      return entry?.link === link ? entry : undefined;
    };
    const link = new Link({
      allowance,
      pair: peer,
      ice: this.#ice,
      tracks: this.#tracks,
      rtc: this.#rtc,
      clock: this.#clock,
      timing: this.#timing,
      send: (data, epoch) => current()?.missing || this.#signaling.signal(id, epoch, data),
      reachable: () => this.#signaling.state.is === 'joined' && current()?.peer.away === false,
      changed: () => {
        const entry = current();
        if (!entry) return;
        if (entry.missing && link.state !== 'connected') return this.#remove(id, 'left');
        this.#limit(entry);
        this.#emitter.emit('peer-updated', snapshot(entry));
      },
      opened: () => current() && this.#emitter.emit('channel', id),
      heard: (given) => {
        const data = current() && read(given, allowance);
        if (data) this.#emitter.emit('data', { from: id, data, allowance });
      },
      warning: (error) => this.#emitter.emit('warning', { peer: id, error }),
    });
    return link;
  }

  #update(id: PeerId, change: Change): void {
    const entry = this.#entries.get(id);
    if (!entry) return;
    entry.peer = { ...entry.peer, ...change };
    if (entry.allowance.take('update')) return this.#emitter.emit('peer-updated', snapshot(entry));
    this.#changed.add(id);
    if (!this.#settling.armed) this.#settling.arm(settling, () => this.#showChanged());
  }

  #showChanged(): void {
    const changed = [...this.#changed];
    this.#changed.clear();
    for (const id of changed) this.#update(id, {});
  }

  #remove(id: PeerId, reason: LeaveReason): void {
    const entry = this.#entries.get(id);
    if (!entry) return;
    entry.link.close();
    this.#entries.delete(id);
    this.#limitAll();
    this.#emitter.emit('peer-left', { peer: snapshot(entry), reason });
  }

  #lookLater(): void {
    this.#alarm.arm(this.#timing.statsInterval, () => {
      if (this.#entries.size > 0) this.#lookLater();
      for (const entry of this.#entries.values()) void this.#look(entry);
    });
  }

  async #look(entry: Entry): Promise<void> {
    const { peer, link, care } = entry;
    const stats = link.state === 'connected' && (await link.stats());
    const before = care.quality?.level;
    if (!stats || this.#entries.get(peer.id) !== entry || !care.take(stats, this.#entries.size)) return;
    this.#limit(entry);
    if (!care.quality) return;
    this.#emitter.emit('quality', { peer: peer.id, quality: care.quality });
    if (care.quality.level !== before) this.#emitter.emit('peer-updated', snapshot(entry));
  }

  #limitAll(): void {
    for (const entry of this.#entries.values()) this.#limit(entry);
  }

  #limit({ link, care }: Entry): void {
    const { video } = this.#tracks;
    if (video && link.state === 'connected') link.setLimits(care.limits(this.#entries.size, video));
  }
}

const snapshot = ({ peer: { initiator: _, polite: __, epoch: ___, ...shown }, link, care }: Entry): RemotePeer => ({
  ...shown,
  connectionState: link.state,
  stream: link.stream,
  quality: care.quality,
});
