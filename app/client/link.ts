/**
 * The media link to one peer. It outlives its RTCPeerConnections: one that does not connect in time is replaced by a new
 * one, the next generation, because some never connect (colliding first offers stop Chromium's ICE gathering permanently).
 * The initiator starts generations; the other side follows, and may request one.
 */
import type { Allowance } from './allowance.ts';
import type { Channel, ChannelSetup } from './channel.ts';
import type { Clock } from './clock.ts';
import type { ConnectionQueue } from './connection-queue.ts';
import { isOffer, type LinkSignal, readSignal } from './link-signal.ts';
import { type LinkTiming, LinkWatchdog } from './link-watchdog.ts';
import { Negotiation } from './negotiation.ts';
import type { Ice, Rtc, Tracks } from './rtc.ts';
import type { VideoLimits } from './video-budget.ts';

/** `connecting`: never connected yet. `reconnecting`: was connected and tries again. `failed`: gave up; retry() tries again. */
export type LinkState = 'connecting' | 'connected' | 'reconnecting' | 'failed' | 'closed';

/** This side's role in the pair, assigned by the server. The epoch changes when one of the two joins again. */
export type Pair = { epoch: number; initiator: boolean; polite: boolean };

export type LinkSetup = ChannelSetup & {
  /** The peer's rate limits, shared by every link to it. */
  allowance: Allowance;
  /** Paces the connections of all links. */
  queue: ConnectionQueue;
  pair: Pair;
  ice: Ice;
  tracks: Tracks;
  rtc: Rtc;
  clock: Clock;
  timing: LinkTiming;
  send(signal: LinkSignal, epoch: number): void;
  /** Whether signals can reach the peer; while they cannot, connect timeouts do not count. */
  reachable(): boolean;
  /** `state` or `stream` changed. */
  changed(): void;
  warning(error: unknown): void;
};

export class Link {
  #setup: LinkSetup;
  #pair: Pair;
  /** In a new epoch, the initiator has not yet sent `keep` or a new offer. */
  #awaitingKeep = false;
  #tracks: Tracks;
  #ice: Ice;
  #generation = 0;
  /** Whether a signal of this generation was sent; if not, its number is reused. */
  #isAnnounced = false;
  /** The connection of the current generation; if this side is not the initiator, created on the first offer. */
  #current: Negotiation | undefined;
  #state: LinkState = 'connecting';
  #stream: MediaStream;
  #wasConnected = false;
  #watchdog: LinkWatchdog;

  constructor(setup: LinkSetup) {
    this.#setup = setup;
    this.#pair = setup.pair;
    this.#tracks = setup.tracks;
    this.#ice = setup.ice;
    this.#stream = setup.rtc.stream();
    this.#watchdog = new LinkWatchdog(setup.clock, setup.timing);
    if (this.#pair.initiator) this.#start(1, this.#mayConnect());
    else this.#watch();
  }

  get state(): LinkState {
    return this.#state;
  }

  /** What the peer sends; a new object after each new connection. */
  get stream(): MediaStream {
    return this.#stream;
  }

  /** A new one after each new connection. */
  get channel(): Channel | undefined {
    return this.#current?.channel;
  }

  get volume(): number | undefined {
    return this.#current?.volume;
  }

  async stats(): Promise<RTCStatsReport | undefined> {
    return this.#current?.stats();
  }

  /** Limits the video sent over the current connection. */
  setLimits(limits: VideoLimits): void {
    this.#current?.setLimits(limits);
  }

  /** Handles a signal's unvalidated `data`. It is ignored if invalid, rate-limited, or not of this or the next generation. */
  receive(data: unknown): void {
    const signal = readSignal(data);
    if (this.#state === 'closed' || !signal) return;
    const { initiator, polite } = this.#pair;
    const { link } = signal;
    if ('renew' in signal) {
      if (initiator && link === this.#generation && this.#isAnnounced && this.#mayConnect()) this.#start(link + 1);
      return;
    }
    if (!initiator && isOffer(signal) && (link === this.#generation + 1 || this.#awaitingKeep))
      this.#start(link, this.#mayConnect());
    else if (!('candidate' in signal) && !this.#setup.allowance.take('description')) return;
    if ('keep' in signal) return initiator ? undefined : this.#onKeep(link);
    if (link !== this.#generation) return;
    void this.#current?.receive(signal, polite);
    this.#progressed();
  }

  /** Spends a token of the peer only if the connection can be made now: a link that waits asks again when its turn comes. */
  #mayConnect(): boolean {
    const { allowance, queue } = this.#setup;
    return allowance.has('connection') && queue.take(this, () => this.#renew()) && allowance.take('connection');
  }

  /**
   * Adopts a new epoch after one of the two has joined again. A working connection is kept if both have it: the initiator sends `keep`.
   * @returns false if there is no working connection: the link must be replaced
   */
  adoptEpoch(pair: Pair): boolean {
    if (!this.#isReusable()) return false;
    this.#pair = pair;
    this.#awaitingKeep = !pair.initiator;
    if (pair.initiator) this.#send({ link: this.#generation, keep: true });
    return true;
  }

  #onKeep(generation: number): void {
    this.#awaitingKeep = generation !== this.#generation || !this.#isReusable();
    if (this.#awaitingKeep) this.#send({ link: generation, renew: true });
  }

  #isReusable(): boolean {
    return this.#state === 'connected' && this.#current?.settled === true;
  }

  #send(signal: LinkSignal): void {
    this.#setup.send(signal, this.#pair.epoch);
  }

  /** Sends these tracks from now on, without renegotiation. */
  setTracks(tracks: Tracks): void {
    this.#tracks = tracks;
    this.#current?.setTracks(tracks);
  }

  /**
   * Sets the ICE servers (and their short-lived credentials) for the next path or connection. A relayed path is moved to the
   * new credentials before the old ones expire; any other working path is unaffected.
   */
  setIce(ice: Ice): void {
    this.#ice = ice;
    this.#current?.setIce(ice);
    if (this.#state === 'connected' && this.#current) void this.#moveRelayed(this.#current);
  }

  /** Signals reach the peer again: retries immediately. */
  heal(): void {
    if (this.#state === 'reconnecting') this.#restart();
    this.retry();
  }

  /** This device changed networks: the path may be dead, although the connection still counts as connected. */
  networkChanged(): void {
    // A healthy connection stays `connected` during an ICE restart, so no watchdog is set.
    if (this.#state === 'connected') this.#current?.restart();
    else this.heal();
  }

  /** Starts again after a failure. */
  retry(): void {
    if (this.#state !== 'failed') return;
    this.#watchdog.reset(this.#generation);
    this.#renew();
  }

  close(): void {
    this.#watchdog.stop();
    this.#setup.queue.remove(this);
    this.#closeConnection();
    this.#state = 'closed';
  }

  // ── generations ───────────────────────────────────────────────────────────────────────────────────────────────────

  /** If not `allowed`, no connection is made, and the watchdog requests the next generation later. */
  #start(generation: number, allowed = true): void {
    this.#closeConnection();
    this.#isAnnounced = false;
    this.#awaitingKeep = false;
    this.#generation = generation;
    this.#watchdog.started(generation);
    this.#stream = this.#setup.rtc.stream();
    if (allowed) this.#connect(generation);
    this.#awaitConnection();
  }

  /** May fail: browsers refuse more than some hundreds of connections, and invalid ICE servers. */
  #connect(generation: number): void {
    const stream = this.#stream;
    try {
      this.#current = new Negotiation({
        ...this.#setup,
        initiator: this.#pair.initiator,
        ice: this.#ice,
        tracks: this.#tracks,
        send: (data) => {
          this.#isAnnounced = true;
          this.#send({ link: generation, ...data });
          this.#progressed();
        },
        state: (state) => this.#onConnectionState(state),
        track: (track) => {
          stream.addTrack(track);
          this.#setup.changed();
        },
      });
    } catch (error) {
      this.#setup.warning(error);
    }
  }

  #closeConnection(): void {
    this.#current?.close();
    this.#current = undefined;
  }

  // ── the watchdog ──────────────────────────────────────────────────────────────────────────────────────────────────

  #awaitConnection(): void {
    this.#setState(this.#wasConnected ? 'reconnecting' : 'connecting');
    this.#watch();
  }

  /** Progress extends the timeout: a new connection would discard work and load a busy device again. */
  #progressed(): void {
    if (this.#state !== 'connected') this.#watch();
  }

  #watch(): void {
    this.#watchdog.awaitConnection(this.#pair.initiator, () => this.#onTimeout());
  }

  #onTimeout(): void {
    if (!this.#setup.reachable()) return this.#watch();
    if (!this.#watchdog.tryAgain()) return this.#setState('failed');
    this.#renew();
  }

  #renew(): void {
    // Rate-limited, because a peer could end each connection as soon as it is established.
    if (this.#pair.initiator && this.#mayConnect()) return this.#start(this.#generation + Number(this.#isAnnounced));
    if (!this.#pair.initiator) this.#send({ link: this.#generation, renew: true });
    this.#awaitConnection();
  }

  #restart(): void {
    // Firefox can restart ICE on a failed connection, but never sends media over it again.
    if (this.#current?.failed) return this.#onTimeout();
    this.#current?.restart();
    this.#watch();
  }

  /**
   * An ICE restart makes both ends gather again, so one restart is enough if both are relayed: the initiator restarts
   * immediately, the other side only if no restart has happened after a delay. Media continues, so no watchdog is set.
   */
  async #moveRelayed(negotiation: Negotiation): Promise<void> {
    if (!(await negotiation.isRelayed()) || this.#state !== 'connected' || this.#current !== negotiation) return;
    const { ufrag } = negotiation;
    if (this.#pair.initiator) negotiation.restart();
    else
      this.#watchdog.awaitRecovery(1, () => {
        if (negotiation.ufrag === ufrag) negotiation.restart();
      });
  }

  #onConnectionState(state: RTCPeerConnectionState): void {
    if (state === 'connected') {
      this.#setup.queue.remove(this);
      this.#watchdog.reset(this.#generation);
      this.#wasConnected = true;
      this.#setState('connected');
    } else if (state === 'disconnected') {
      this.#setState('reconnecting');
      this.#watchdog.awaitRecovery(this.#pair.initiator ? 1 : 2, () => this.#restart());
    } else if (state === 'failed') this.#restart();
  }

  #setState(state: LinkState): void {
    if (this.#state === state) return;
    this.#state = state;
    this.#setup.changed();
  }
}
