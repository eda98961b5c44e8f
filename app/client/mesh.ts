/** All links of a room, kept in step with who is in it. */
import type { Joined, LeaveReason, Peer, PeerId } from '../protocol/messages.ts';
import { Care } from './care.ts';
import type { Channel, Data } from './channel.ts';
import { Alarm, browserClock, type Clock } from './clock.ts';
import type { ConnectionEvents, ConnectionState, RoomEvent } from './connection.ts';
import { Emitter, type Source } from './events.ts';
import { Link, type LinkState, type LinkTiming, usualLinkTiming } from './link.ts';
import type { Quality } from './quality.ts';
import { browserRtc, type Ice, type Rtc, type Tracks } from './rtc.ts';
import { usualLooks } from './timing.ts';

/** Another peer as the page shows it: a value, replaced as a whole when anything changes. */
export type RemotePeer = Readonly<
  Pick<Peer, 'id' | 'name' | 'role' | 'media' | 'hand' | 'away'> & {
    link: LinkState;
    stream: MediaStream;
    quality?: Quality | undefined;
  }
>;

export type MeshEvents = {
  'peer-added': RemotePeer;
  'peer-changed': RemotePeer;
  'peer-removed': { peer: RemotePeer; reason: LeaveReason };
  /** How good the path to a peer is, every few seconds; `peer-changed` tells only of another level. */
  quality: { peer: PeerId; quality: Quality };
  /** The data channel to a peer is open, or another one after a fresh connection. */
  channel: PeerId;
  data: { from: PeerId; data: Data };
  /** A failure that was survived, for whoever keeps a log. */
  trouble: { peer: PeerId; error: unknown };
};

/** What the mesh needs of a connection. */
export type Signaling = Source<ConnectionEvents> & {
  readonly state: ConnectionState;
  signal(to: PeerId, epoch: number, data: NonNullable<unknown>): unknown;
};

export type MeshOptions = {
  tracks: Tracks;
  iceTransportPolicy?: RTCIceTransportPolicy;
  rtc?: Rtc;
  clock?: Clock;
  timing?: Partial<LinkTiming & { looks: number }>;
};

type Entry = { peer: Peer; link: Link; care: Care };

export class Mesh implements Source<MeshEvents> {
  #signaling: Signaling;
  #tracks: Tracks;
  #rtc: Rtc;
  #clock: Clock;
  #timing: LinkTiming & { looks: number };
  #ice: Ice;
  #entries = new Map<PeerId, Entry>();
  #emitter = new Emitter<MeshEvents>();
  #deaf: (() => void)[];
  /** The next look at the paths. */
  #alarm: Alarm;

  constructor(
    signaling: Signaling,
    { tracks, iceTransportPolicy = 'all', rtc = browserRtc, clock = browserClock, timing = {} }: MeshOptions,
  ) {
    this.#signaling = signaling;
    this.#tracks = tracks;
    this.#ice = { iceServers: [], iceTransportPolicy };
    this.#rtc = rtc;
    this.#clock = clock;
    this.#timing = { ...usualLinkTiming, looks: usualLooks, ...timing };
    this.#alarm = new Alarm(clock);
    this.#deaf = [
      signaling.on('joined', ({ peers, ice, recovered }) => {
        this.#setIce(ice);
        if (recovered) this.#healAll();
        else this.#startFrom(peers);
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

  on<Name extends keyof MeshEvents>(name: Name, listener: (value: MeshEvents[Name]) => void): () => void {
    return this.#emitter.on(name, listener);
  }

  /** Sends these tracks to everyone, now and later. */
  setTracks(tracks: Tracks): void {
    this.#tracks = tracks;
    for (const { link } of this.#entries.values()) link.setTracks(tracks);
    this.#limitAll();
  }

  /** The way to a peer's page past the server; undefined while there is none. */
  channel(id: PeerId): Channel | undefined {
    return this.#entries.get(id)?.link.channel;
  }

  /** This device has another network. */
  networkChanged(): void {
    for (const { link } of this.#entries.values()) link.networkChanged();
  }

  /** Tries again with a peer whose link failed. */
  retry(id: PeerId): void {
    this.#entries.get(id)?.link.retry();
  }

  close(): void {
    for (const stop of this.#deaf) stop();
    this.#alarm.disarm();
    for (const { link } of this.#entries.values()) link.close();
    this.#entries.clear();
  }

  // ── what the room tells ───────────────────────────────────────────────────────────────────────────────────────────

  #startFrom(peers: Peer[]): void {
    const present = new Set(peers.map(({ id }) => id));
    for (const id of [...this.#entries.keys()]) if (!present.has(id)) this.#remove(id, 'left');
    for (const peer of peers) this.#put(peer);
  }

  #setIce(ice: Joined['ice']): void {
    this.#ice = { ...this.#ice, iceServers: ice as RTCIceServer[] };
    for (const { link } of this.#entries.values()) link.setIce(this.#ice);
  }

  #healAll(): void {
    for (const { link } of this.#entries.values()) link.heal();
  }

  #happened(event: RoomEvent): void {
    switch (event.type) {
      case 'peer-joined':
        if (this.#entries.get(event.peer.id)?.peer.epoch !== event.peer.epoch) this.#put(event.peer);
        return;
      case 'peer-updated':
        return this.#update(event.peer, {
          ...(event.name === undefined ? {} : { name: event.name }),
          ...(event.media === undefined ? {} : { media: event.media }),
          ...(event.hand === undefined ? {} : { hand: event.hand }),
          ...(event.role === undefined ? {} : { role: event.role }),
        });
      case 'peer-away':
        return this.#update(event.peer, { away: true });
      case 'peer-back':
        this.#update(event.peer, { away: false });
        return this.#entries.get(event.peer)?.link.heal();
      case 'peer-left':
        return this.#remove(event.peer, event.reason);
      case 'signal':
        return this.#deliver(event.from, event.epoch, event.data);
      case 'chat':
      case 'room-updated':
      case 'mute-request':
      case 'lobby':
      case 'waiting-updated':
        return;
      default:
        return event satisfies never;
    }
  }

  #deliver(from: PeerId, epoch: number, data: unknown): void {
    const entry = this.#entries.get(from);
    // Any other epoch belongs to a connection of before, or to one that this side has not been told of.
    if (entry?.peer.epoch === epoch) entry.link.receive(data);
  }

  // ── the entries ───────────────────────────────────────────────────────────────────────────────────────────────────

  /** Takes in a peer; one that is known already gets a new link, whatever became of the old one. */
  #put(peer: Peer): void {
    const known = this.#entries.get(peer.id);
    known?.link.close();
    const entry: Entry = { peer, link: this.#link(peer), care: new Care() };
    this.#entries.set(peer.id, entry);
    this.#limitAll();
    if (!this.#alarm.armed) this.#lookLater();
    this.#emitter.emit(known ? 'peer-changed' : 'peer-added', snapshot(entry));
  }

  #link({ id, epoch, initiator, polite }: Peer): Link {
    const current = () => {
      const entry = this.#entries.get(id);
      return entry?.peer.epoch === epoch ? entry : undefined;
    };
    return new Link({
      initiator,
      polite,
      ice: this.#ice,
      tracks: this.#tracks,
      rtc: this.#rtc,
      clock: this.#clock,
      timing: this.#timing,
      send: (data) => void this.#signaling.signal(id, epoch, data),
      reachable: () => this.#signaling.state.is === 'joined' && current()?.peer.away === false,
      changed: () => {
        const entry = current();
        if (!entry) return;
        this.#limit(entry);
        this.#emitter.emit('peer-changed', snapshot(entry));
      },
      opened: () => current() && this.#emitter.emit('channel', id),
      heard: (data) => current() && this.#emitter.emit('data', { from: id, data }),
      trouble: (error) => this.#emitter.emit('trouble', { peer: id, error }),
    });
  }

  #update(id: PeerId, change: Partial<Pick<Peer, 'name' | 'media' | 'hand' | 'role' | 'away'>>): void {
    const entry = this.#entries.get(id);
    if (!entry) return;
    entry.peer = { ...entry.peer, ...change };
    this.#emitter.emit('peer-changed', snapshot(entry));
  }

  #remove(id: PeerId, reason: LeaveReason): void {
    const entry = this.#entries.get(id);
    if (!entry) return;
    entry.link.close();
    this.#entries.delete(id);
    this.#limitAll();
    this.#emitter.emit('peer-removed', { peer: snapshot(entry), reason });
  }

  // ── how good the paths are ────────────────────────────────────────────────────────────────────────────────────────

  #lookLater(): void {
    this.#alarm.arm(this.#timing.looks, () => {
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
    if (care.quality.level !== before) this.#emitter.emit('peer-changed', snapshot(entry));
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
  link: link.state,
  stream: link.stream,
  quality: care.quality,
});
