/**
 * The media link to one peer. It outlives its RTCPeerConnections: one that does not connect in time is replaced by a
 * fresh one, a generation later, because some never would (first offers that collide leave Chromium gathering nothing
 * for ever). The initiator begins generations; the other side follows, and may ask.
 */
import type { Allowance } from './allowance.ts';
import type { Channel, ChannelSetup } from './channel.ts';
import { Alarm, type Clock } from './clock.ts';
import { isOffer, type LinkSignal, readSignal } from './link-signal.ts';
import { Negotiation } from './negotiation.ts';
import type { Ice, Rtc, Tracks } from './rtc.ts';
import type { VideoLimits } from './video-budget.ts';

/** `connecting`: not connected so far. `reconnecting`: was, and tries again. `failed`: gave up; retry() tries once more. */
export type LinkState = 'connecting' | 'connected' | 'reconnecting' | 'failed' | 'closed';

/** Who this side is in the pair, as the server says; another epoch after one of the two has joined anew. */
export type Pair = { epoch: number; initiator: boolean; polite: boolean };

/** Milliseconds, but for `tries`. */
export type LinkTiming = {
  /** How long a connection may take after the last signal, of either side; each further try gets half as much more. */
  connect: number;
  /** Fresh connections after the first, before the link counts as failed. */
  tries: number;
  /** How long a disconnection may last before a new path is looked for; most heal alone. */
  disconnected: number;
};
export const usualLinkTiming: LinkTiming = { connect: 10_000, tries: 3, disconnected: 2_000 };

export type LinkSetup = ChannelSetup & {
  /** What the peer may still cost; the same one for every link to it. */
  allowance: Allowance;
  pair: Pair;
  ice: Ice;
  tracks: Tracks;
  rtc: Rtc;
  clock: Clock;
  timing: LinkTiming;
  send(signal: LinkSignal, epoch: number): void;
  /** Whether a signal would arrive now: while it would not, a link is not to blame for being unconnected. */
  reachable(): boolean;
  /** `state` or `stream` changed. */
  changed(): void;
  warning(error: unknown): void;
};

export class Link {
  #setup: LinkSetup;
  #pair: Pair;
  /** The pair has a new epoch, and its initiator has not said yet whether it goes on with the connection or makes another. */
  #inQuestion = false;
  #tracks: Tracks;
  #ice: Ice;
  #generation = 0;
  /** Whether the other side hears of this generation: one that it does not hear of takes no number. */
  #isOffered = false;
  /** Of the present generation; the other side's first offer makes it where this is not the initiator. */
  #current: Negotiation | undefined;
  #state: LinkState = 'connecting';
  #stream: MediaStream;
  #wasConnected = false;
  /** The generation that the tries are counted from. */
  #base = 1;
  #tries = 0;
  #watchdog: Alarm;

  constructor(setup: LinkSetup) {
    this.#setup = setup;
    this.#pair = setup.pair;
    this.#tracks = setup.tracks;
    this.#ice = setup.ice;
    this.#stream = setup.rtc.stream();
    this.#watchdog = new Alarm(setup.clock);
    if (this.#pair.initiator) this.#begin(1, this.#allows('connection'));
    else this.#watch();
  }

  get state(): LinkState {
    return this.#state;
  }

  /** What the peer sends; another object after a fresh connection. */
  get stream(): MediaStream {
    return this.#stream;
  }

  /** Another one after a fresh connection. */
  get channel(): Channel | undefined {
    return this.#current?.channel;
  }

  get volume(): number | undefined {
    return this.#current?.volume;
  }

  /** Statistics of the present connection. */
  async stats(): Promise<RTCStatsReport | undefined> {
    return this.#current?.stats();
  }

  /** Sends no more video than that over the present connection. */
  setLimits(limits: VideoLimits): void {
    this.#current?.setLimits(limits);
  }

  /** Takes a signal's `data` as it came from the peer; what is no signal of this or the next generation, or too soon, is ignored. */
  receive(data: unknown): void {
    const signal = readSignal(data);
    if (this.#state === 'closed' || !signal) return;
    const { initiator, polite } = this.#pair;
    const { link } = signal;
    if ('renew' in signal) {
      if (initiator && link === this.#generation && this.#isOffered && this.#allows('connection'))
        this.#begin(link + 1);
      return;
    }
    if (!initiator && isOffer(signal) && (link === this.#generation + 1 || this.#inQuestion))
      this.#begin(link, this.#allows('connection'));
    else if (!('candidate' in signal) && !this.#allows('description')) return;
    if ('keep' in signal) return initiator ? undefined : this.#keep(link);
    if (link !== this.#generation) return;
    void this.#current?.receive(signal, polite);
    this.#getsOn();
  }

  #allows(kind: 'connection' | 'description'): boolean {
    return this.#setup.allowance.take(kind);
  }

  /**
   * One of the two has joined anew. A connection that works is none of the room's business: it goes on if the other side has it
   * too, which the initiator says first.
   * @returns false when there is none: this link is of no use any more
   */
  goOn(pair: Pair): boolean {
    if (!this.#isSound()) return false;
    this.#pair = pair;
    this.#inQuestion = !pair.initiator;
    if (pair.initiator) this.#send({ link: this.#generation, keep: true });
    return true;
  }

  #keep(generation: number): void {
    this.#inQuestion = generation !== this.#generation || !this.#isSound();
    if (this.#inQuestion) this.#send({ link: generation, renew: true });
  }

  #isSound(): boolean {
    return this.#state === 'connected' && this.#current?.settled === true;
  }

  #send(signal: LinkSignal): void {
    this.#setup.send(signal, this.#pair.epoch);
  }

  /** Sends these tracks from now on; never renegotiates. */
  setTracks(tracks: Tracks): void {
    this.#tracks = tracks;
    this.#current?.setTracks(tracks);
  }

  /**
   * Servers (and their short-lived credentials) for the next path or connection. A path through a TURN server is moved
   * to the new credentials before the old ones expire; any other path that works is left alone.
   */
  setIce(ice: Ice): void {
    this.#ice = ice;
    this.#current?.setIce(ice);
    if (this.#state === 'connected' && this.#current) void this.#move(this.#current);
  }

  /** Signals arrive again: what waited for that is done now. */
  heal(): void {
    if (this.#state === 'reconnecting') this.#restart();
    this.retry();
  }

  /** This device has another network: the path may be dead before anybody notices. */
  networkChanged(): void {
    // A connection that is well stays `connected` while it looks for the new path, and so no watchdog is set.
    if (this.#state === 'connected') this.#current?.restart();
    else this.heal();
  }

  /** Begins again after a failure. */
  retry(): void {
    if (this.#state !== 'failed') return;
    this.#base = this.#generation;
    this.#tries = 0;
    this.#renew();
  }

  close(): void {
    this.#watchdog.disarm();
    this.#drop();
    this.#state = 'closed';
  }

  // ── generations ───────────────────────────────────────────────────────────────────────────────────────────────────

  /** `affordable`: whether there is to be a connection. Without one the watchdog asks for the next generation, later. */
  #begin(generation: number, affordable = true): void {
    this.#drop();
    this.#isOffered = false;
    this.#inQuestion = false;
    this.#generation = generation;
    // Both ends count alike, whoever asked for it, and so lose patience in the intended order.
    this.#tries = Math.min(this.#setup.timing.tries, Math.max(this.#tries, generation - this.#base));
    this.#stream = this.#setup.rtc.stream();
    if (affordable) this.#connect(generation);
    this.#awaitConnection();
  }

  /** Browsers refuse connections beyond some hundreds, or with servers that make no sense to them. */
  #connect(generation: number): void {
    const stream = this.#stream;
    try {
      this.#current = new Negotiation({
        ...this.#setup,
        initiator: this.#pair.initiator,
        ice: this.#ice,
        tracks: this.#tracks,
        send: (data) => {
          this.#isOffered = true;
          this.#send({ link: generation, ...data });
          this.#getsOn();
        },
        state: (state) => this.#connectionState(state),
        track: (track) => {
          stream.addTrack(track);
          this.#setup.changed();
        },
      });
    } catch (error) {
      this.#setup.warning(error);
    }
  }

  #drop(): void {
    this.#current?.close();
    this.#current = undefined;
  }

  // ── the watchdog ──────────────────────────────────────────────────────────────────────────────────────────────────

  #awaitConnection(): void {
    this.#become(this.#wasConnected ? 'reconnecting' : 'connecting');
    this.#watch();
  }

  /** To begin anew now would throw away what was done so far, and give a busy device the same work again. */
  #getsOn(): void {
    if (this.#state !== 'connected') this.#watch();
  }

  #watch(): void {
    // The initiator is the first to lose patience, so that the two do not act at once.
    const patience = this.#pair.initiator ? 1 : 1.3;
    const delay = this.#setup.timing.connect * (1 + this.#tries / 2) * patience;
    this.#watchdog.arm(delay, () => this.#overdue());
  }

  #overdue(): void {
    if (!this.#setup.reachable()) return this.#watch();
    if (this.#tries >= this.#setup.timing.tries) return this.#become('failed');
    this.#tries += 1;
    this.#renew();
  }

  #renew(): void {
    // A peer that ends each connection as soon as it is there would have one after the other.
    if (this.#pair.initiator && this.#allows('connection'))
      return this.#begin(this.#generation + Number(this.#isOffered));
    if (!this.#pair.initiator) this.#send({ link: this.#generation, renew: true });
    this.#awaitConnection();
  }

  #restart(): void {
    // Firefox finds another path for it as well, and never again sends a picture or a sound over it.
    if (this.#current?.failed) return this.#overdue();
    this.#current?.restart();
    this.#watch();
  }

  /**
   * A restart makes both ends gather anew, so one is enough for two ends that are relayed: the initiator begins at once,
   * the other only if nobody has by then. Media goes on meanwhile, and so no watchdog is set.
   */
  async #move(negotiation: Negotiation): Promise<void> {
    if (!(await negotiation.isRelayed()) || this.#state !== 'connected' || this.#current !== negotiation) return;
    const { search } = negotiation;
    if (this.#pair.initiator) negotiation.restart();
    else
      this.#watchdog.arm(this.#setup.timing.disconnected, () => {
        if (negotiation.search === search) negotiation.restart();
      });
  }

  #connectionState(state: RTCPeerConnectionState): void {
    if (state === 'connected') this.#connected();
    if (state === 'disconnected') this.#disconnected();
    if (state === 'failed') this.#restart();
  }

  #connected(): void {
    this.#watchdog.disarm();
    this.#base = this.#generation;
    this.#tries = 0;
    this.#wasConnected = true;
    this.#become('connected');
  }

  #disconnected(): void {
    this.#become('reconnecting');
    const patience = this.#pair.initiator ? 1 : 2;
    this.#watchdog.arm(this.#setup.timing.disconnected * patience, () => this.#restart());
  }

  #become(state: LinkState): void {
    if (this.#state === state) return;
    this.#state = state;
    this.#setup.changed();
  }
}
