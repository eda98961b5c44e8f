/** All links of a room, kept in step with who is in it. */
import type { Joined, LeaveReason, Peer, PeerId } from '../protocol/messages.ts';
import { browserClock, type Clock } from './clock.ts';
import type { ConnectionEvents, ConnectionState, RoomEvent } from './connection.ts';
import { Emitter, type Source } from './events.ts';
import { Link, type LinkState, type LinkTiming, usualLinkTiming } from './link.ts';
import { browserRtc, type Ice, type Rtc, type Tracks } from './rtc.ts';

/** Another peer as the page shows it: a value, replaced as a whole when anything changes. */
export type RemotePeer = Readonly<
  Pick<Peer, 'id' | 'name' | 'role' | 'media' | 'hand' | 'away'> & { link: LinkState; stream: MediaStream }
>;

export type MeshEvents = {
  'peer-added': RemotePeer;
  'peer-changed': RemotePeer;
  'peer-removed': { peer: RemotePeer; reason: LeaveReason };
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
  timing?: Partial<LinkTiming>;
};

type Entry = { peer: Peer; link: Link };

export class Mesh implements Source<MeshEvents> {
  #signaling: Signaling;
  #tracks: Tracks;
  #rtc: Rtc;
  #clock: Clock;
  #timing: LinkTiming;
  #ice: Ice;
  #entries = new Map<PeerId, Entry>();
  #emitter = new Emitter<MeshEvents>();
  #deaf: (() => void)[];

  constructor(
    signaling: Signaling,
    { tracks, iceTransportPolicy = 'all', rtc = browserRtc, clock = browserClock, timing = {} }: MeshOptions,
  ) {
    this.#signaling = signaling;
    this.#tracks = tracks;
    this.#ice = { iceServers: [], iceTransportPolicy };
    this.#rtc = rtc;
    this.#clock = clock;
    this.#timing = { ...usualLinkTiming, ...timing };
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
  }

  /** Tries again with a peer whose link failed. */
  retry(id: PeerId): void {
    this.#entries.get(id)?.link.retry();
  }

  close(): void {
    for (const stop of this.#deaf) stop();
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
          ...(event.role === undefined ? {} : { role: event.role }),
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
    const entry: Entry = { peer, link: this.#link(peer) };
    this.#entries.set(peer.id, entry);
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
        if (entry) this.#emitter.emit('peer-changed', snapshot(entry));
      },
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
    this.#emitter.emit('peer-removed', { peer: snapshot(entry), reason });
  }
}

const snapshot = ({ peer, link }: Entry): RemotePeer => ({
  id: peer.id,
  ...(peer.name === undefined ? {} : { name: peer.name }),
  role: peer.role,
  media: peer.media,
  hand: peer.hand,
  away: peer.away,
  link: link.state,
  stream: link.stream,
});
