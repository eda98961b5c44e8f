/** The links to all peers of a room. */
import type { Joined, LeaveReason, Peer, PeerId } from '../protocol/messages.ts';
import { Allowance } from './allowance.ts';
import { type ReceivedData, read } from './channel.ts';
import { Alarm, browserClock, type Clock } from './clock.ts';
import { ConnectionQueue } from './connection-queue.ts';
import type { Emitter } from './events.ts';
import { Link } from './link.ts';
import { LinkMonitor } from './link-monitor.ts';
import { type LinkTiming, usualLinkTiming } from './link-watchdog.ts';
import { type MeshPeer, type RemotePeer, snapshot } from './mesh-peer.ts';
import type { Quality } from './quality.ts';
import { QualityMonitor } from './quality-monitor.ts';
import { browserRtc, type Ice, type Rtc, type Tracks } from './rtc.ts';
import type { RoomEvent, Signaling } from './signaling.ts';
import { defaultStatsInterval } from './timeouts.ts';

export type MeshEvents = {
  'peer-joined': RemotePeer;
  'peer-updated': RemotePeer;
  'peer-left': { peer: RemotePeer; reason: LeaveReason };
  /** Quality of the path to a peer, every few seconds; `peer-updated` is emitted only when the level changes. */
  quality: { peer: PeerId; quality: Quality };
  /** The data channel to a peer has opened; emitted again after each new connection. */
  channel: PeerId;
  data: { from: PeerId; data: ReceivedData; allowance: Allowance };
  /** A failure that did not end the call, for logging. */
  warning: { peer: PeerId; error: unknown };
};

export type MeshOptions = {
  /** Receives the events of the mesh. */
  emitter: Pick<Emitter<MeshEvents>, 'emit'>;
  tracks: Tracks;
  iceTransportPolicy?: RTCIceTransportPolicy;
  rtc?: Rtc;
  clock?: Clock;
  timing?: Partial<LinkTiming & { statsInterval: number }>;
};

/** Received as JSON, so no value is undefined. */
type PeerChange = Partial<Pick<Peer, 'name' | 'media' | 'hand' | 'role' | 'away'>>;

/** Maximum number of links; further peers are ignored. A mesh supports far fewer in practice. */
const maxLinks = 64;
/** Milliseconds until rate-limited updates of a peer are shown. */
const updateDelay = 1_000;

export class Mesh {
  #signaling: Signaling;
  #tracks: Tracks;
  #rtc: Rtc;
  #clock: Clock;
  #timing: LinkTiming;
  #ice: Ice;
  #peers = new Map<PeerId, MeshPeer>();
  #emitter: MeshOptions['emitter'];
  #unsubscribers: (() => void)[];
  #quality: QualityMonitor;
  /** Deadline after which missing peers are removed. */
  #missingAlarm: Alarm;
  #self: PeerId | undefined;
  /** Peers with rate-limited updates, and the time at which these are shown. */
  #pendingUpdates = new Set<PeerId>();
  #updateAlarm: Alarm;
  #queue: ConnectionQueue;

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
    this.#timing = { ...usualLinkTiming, ...timing };
    this.#quality = new QualityMonitor(this.#peers, clock, timing.statsInterval ?? defaultStatsInterval, {
      track: () => this.#tracks.video,
      measured: (peer, quality, levelChanged) => {
        emitter.emit('quality', { peer: peer.peer.id, quality });
        if (levelChanged) emitter.emit('peer-updated', snapshot(peer));
      },
    });
    this.#missingAlarm = new Alarm(clock);
    this.#updateAlarm = new Alarm(clock);
    this.#queue = new ConnectionQueue(clock);
    this.#unsubscribers = [
      signaling.on('joined', (joined) => {
        if (!joined.recovered) return this.#reset(joined);
        this.#setIce(joined.ice);
        this.#healAll();
      }),
      signaling.on('ice', (ice) => {
        this.#setIce(ice);
        this.#healAll();
      }),
      signaling.on('event', (event) => this.#onEvent(event)),
    ];
  }

  get peers(): RemotePeer[] {
    return [...this.#peers.values()].map(snapshot);
  }

  /** Sends these tracks to everyone, now and later. */
  setTracks(tracks: Tracks): void {
    this.#tracks = tracks;
    for (const { link } of this.#peers.values()) link.setTracks(tracks);
    this.#quality.limitAllVideo();
  }

  link(id: PeerId): Link | undefined {
    return this.#peers.get(id)?.link;
  }

  /** This device changed networks. */
  networkChanged(): void {
    for (const { link } of this.#peers.values()) link.networkChanged();
  }

  close(): void {
    for (const unsubscribe of this.#unsubscribers) unsubscribe();
    this.#quality.close();
    this.#missingAlarm.disarm();
    this.#updateAlarm.disarm();
    for (const { link } of this.#peers.values()) link.close();
    this.#peers.clear();
  }

  // ── events of the room ────────────────────────────────────────────────────────────────────────────────────────────

  /** Peers rejoin a lost room one by one, so connected peers that are not in it yet are kept for the grace period. */
  #reset({ self, peers, ice, grace }: Joined): void {
    const present = new Set(peers.map(({ id }) => id));
    for (const [id, entry] of [...this.#peers]) {
      // With a new id, the other peers do not recognize this side.
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
    for (const peer of peers) this.#addOrReplace(peer);
    this.#missingAlarm.arm(grace, () => {
      for (const { peer, missing } of [...this.#peers.values()]) if (missing) this.#remove(peer.id, 'timeout');
    });
  }

  #setIce(ice: Joined['ice']): void {
    this.#ice = { ...this.#ice, iceServers: ice as RTCIceServer[] };
    // A new path cannot be negotiated with a peer that signals do not reach.
    for (const { link, missing } of this.#peers.values()) if (!missing) link.setIce(this.#ice);
  }

  #healAll(): void {
    for (const { link } of this.#peers.values()) link.heal();
  }

  #onEvent(event: RoomEvent): void {
    switch (event.type) {
      case 'peer-joined':
        if (this.#peers.get(event.peer.id)?.peer.epoch !== event.peer.epoch) this.#addOrReplace(event.peer);
        return;
      case 'peer-updated': {
        const { type: _, seq: __, peer, ...change } = event;
        return this.#update(peer, change as PeerChange);
      }
      case 'peer-away':
        return this.#update(event.peer, { away: true });
      case 'peer-back':
        this.#update(event.peer, { away: false });
        return this.#heal(event.peer);
      case 'peer-left':
        return this.#remove(event.peer, event.reason);
      case 'signal':
        return this.#onSignal(event.from, event.epoch, event.data);
      default:
        event.type satisfies 'chat' | 'room-updated' | 'mute-request' | 'lobby' | 'waiting-updated';
    }
  }

  #heal(id: PeerId): void {
    const entry = this.#peers.get(id);
    if (entry?.allowance.take('description')) entry.link.heal();
  }

  #onSignal(from: PeerId, epoch: number, data: unknown): void {
    const entry = this.#peers.get(from);
    // A signal of another epoch is outdated, or belongs to one that this side does not know yet.
    if (entry?.peer.epoch === epoch) entry.link.receive(data);
  }

  // ── the peers ─────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Adds or replaces a peer. A working link to a known peer is kept; otherwise a new one is created. */
  #addOrReplace(peer: Peer): void {
    const known = this.#peers.get(peer.id);
    if (known?.link.adoptEpoch(peer)) {
      known.peer = peer;
      if (known.missing) known.link.setIce(this.#ice);
      delete known.missing;
      return this.#emitter.emit('peer-updated', snapshot(known));
    }
    if (!known && this.#peers.size >= maxLinks) return;
    known?.link.close();
    const allowance = known?.allowance ?? new Allowance();
    const entry: MeshPeer = { peer, link: this.#link(peer, allowance), monitor: new LinkMonitor(), allowance };
    this.#peers.set(peer.id, entry);
    this.#quality.peerAdded();
    this.#emitter.emit(known ? 'peer-updated' : 'peer-joined', snapshot(entry));
  }

  #link(peer: Peer, allowance: Allowance): Link {
    const { id } = peer;
    const current = () => {
      const entry = this.#peers.get(id);
      return entry?.link === link ? entry : undefined;
    };
    const link = new Link({
      allowance,
      queue: this.#queue,
      pair: peer,
      ice: this.#ice,
      tracks: this.#tracks,
      rtc: this.#rtc,
      clock: this.#clock,
      timing: this.#timing,
      send: (data, epoch) => current()?.missing || this.#signaling.signal(id, epoch, data),
      reachable: () => this.#signaling.state.state === 'joined' && current()?.peer.away === false,
      changed: () => {
        const entry = current();
        if (!entry) return;
        if (entry.missing && link.state !== 'connected') return this.#remove(id, 'left');
        this.#quality.limitVideo(entry);
        this.#emitter.emit('peer-updated', snapshot(entry));
      },
      opened: () => current() && this.#emitter.emit('channel', id),
      heard: (received) => {
        const data = current() && read(received, allowance);
        if (data) this.#emitter.emit('data', { from: id, data, allowance });
      },
      warning: (error) => this.#emitter.emit('warning', { peer: id, error }),
    });
    return link;
  }

  #update(id: PeerId, change: PeerChange): void {
    const entry = this.#peers.get(id);
    if (!entry) return;
    entry.peer = { ...entry.peer, ...change };
    if (entry.allowance.take('update')) return this.#emitter.emit('peer-updated', snapshot(entry));
    this.#pendingUpdates.add(id);
    if (!this.#updateAlarm.armed) this.#updateAlarm.arm(updateDelay, () => this.#showPending());
  }

  #showPending(): void {
    const changed = [...this.#pendingUpdates];
    this.#pendingUpdates.clear();
    for (const id of changed) this.#update(id, {});
  }

  #remove(id: PeerId, reason: LeaveReason): void {
    const entry = this.#peers.get(id);
    if (!entry) return;
    entry.link.close();
    this.#peers.delete(id);
    this.#quality.peerRemoved();
    this.#emitter.emit('peer-left', { peer: snapshot(entry), reason });
  }
}
