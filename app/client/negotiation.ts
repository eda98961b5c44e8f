/**
 * One RTCPeerConnection and its negotiation: perfect negotiation, in which only the initiator makes the first offer. That
 * offer already contains an audio and a video transceiver, with or without a track to send, and the data channel. Muting,
 * unmuting and changing a device use `replaceTrack` and need no renegotiation.
 */
import type { Allowance } from './allowance.ts';
import { Channel, type ChannelSetup } from './channel.ts';
import type { Clock } from './clock.ts';
import { bounds, type Description, type Negotiable } from './link-signal.ts';
import { MediaGuard } from './remote-media.ts';
import { limitSdp } from './remote-sdp.ts';
import { AudioLevels, type Ice, isRelayed, kinds, type PeerConnection, type Rtc, type Tracks } from './rtc.ts';
import { setEncoding, type VideoLimits } from './video-budget.ts';

export type NegotiationSetup = ChannelSetup & {
  allowance: Allowance;
  initiator: boolean;
  ice: Ice;
  tracks: Tracks;
  rtc: Rtc;
  clock: Clock;
  send(data: Negotiable): void;
  /** The connection's state changed. */
  state(state: RTCPeerConnectionState): void;
  track(track: MediaStreamTrack): void;
  /** A failure from which the negotiation cannot recover by itself. */
  warning(error: unknown): void;
};

export class Negotiation {
  #setup: NegotiationSetup;
  #pc: PeerConnection;
  #localStream: MediaStream;
  #channel: Channel | undefined;
  #limits: VideoLimits | undefined;
  #senders: { audio?: RTCRtpSender; video?: RTCRtpSender } = {};
  #tracks: Tracks;
  #offering = false;
  #answering = false;
  #ignoringOffer = false;
  #closed = false;
  #remoteIsFirefox: boolean | undefined;
  /** The other side's current ICE username fragment, and how many more candidates are accepted for it. */
  #remoteUfrag: string | undefined;
  #candidatesLeft: number = bounds.candidates;
  #levels = new AudioLevels();
  #guard: MediaGuard;

  constructor(setup: NegotiationSetup) {
    this.#setup = setup;
    this.#tracks = setup.tracks;
    this.#pc = setup.rtc.connection({ ...setup.ice, bundlePolicy: 'max-bundle' });
    // Both tracks belong to the same stream, so that receivers synchronize them.
    this.#localStream = setup.rtc.stream();
    this.#guard = new MediaGuard(setup.clock, this.#pc, (reason) => this.#block(reason));
    this.#addListeners();
    if (setup.initiator) this.#attempt(() => this.#addTransceivers());
  }

  /** Whether no offer is pending, which might never reach the other side. */
  get settled(): boolean {
    return this.#pc.signalingState === 'stable' && !this.#offering;
  }

  /** Whether it can never work again. */
  get failed(): boolean {
    return this.#closed || this.#pc.connectionState === 'failed';
  }

  /** Handles a signal. `polite`: on a collision this side rolls back its own offer. Never rejects: failures go to `warning`. */
  async receive(data: Negotiable, polite: boolean): Promise<void> {
    await this.#attempt(() => {
      if ('description' in data) return this.#onDescription(data.description, polite);
      return 'candidate' in data ? this.#addCandidate(data.candidate) : this.#pc.restartIce();
    });
  }

  /** Undefined until negotiated. */
  get channel(): Channel | undefined {
    return this.#channel;
  }

  setTracks(tracks: Tracks): void {
    this.#tracks = tracks;
    for (const kind of kinds) this.#replaceTrack(kind);
  }

  /** Statistics of the connection; undefined once it is closed. */
  async stats(): Promise<RTCStatsReport | undefined> {
    try {
      const stats = this.#closed ? undefined : await this.#pc.getStats();
      if (stats) this.#guard.check(stats);
      return stats;
    } catch (error) {
      this.#warning(error);
      return undefined;
    }
  }

  /** Limits the video that is sent. */
  setLimits(limits: VideoLimits): void {
    if (JSON.stringify(limits) === JSON.stringify(this.#limits)) return;
    this.#limits = limits;
    this.#attempt(() => setEncoding(this.#senders.video, limits));
    // Audio has priority when bandwidth is short. https://www.w3.org/TR/webrtc-priority/
    this.#attempt(() => setEncoding(this.#senders.audio, { priority: 'high', networkPriority: 'high' }));
  }

  /** Sets the ICE servers for the next path; the current one is unaffected. */
  setIce(ice: Ice): void {
    this.#attempt(() => this.#pc.setConfiguration({ ...this.#pc.getConfiguration(), ...ice }));
  }

  /**
   * Restarts ICE. If the other side is Firefox, it is asked to make the offer: it may answer Chromium's with another DTLS role,
   * which Chromium refuses (https://bugzilla.mozilla.org/show_bug.cgi?id=1240897). In one of five restarts Chromium also selected
   * Firefox's previous port, which no longer receives anything, and both stayed `connected`.
   */
  restart(): void {
    if (this.#remoteIsFirefox) this.#setup.send({ restart: true });
    else this.#attempt(() => this.#pc.restartIce());
  }

  /** The local ICE username fragment; it changes with each restart, whichever side started it. */
  get ufrag(): string | undefined {
    return ufragOf(this.#pc.localDescription?.sdp);
  }

  /** Whether the current path goes through a TURN server of this side. Never rejects. */
  async isRelayed(): Promise<boolean> {
    const stats = await this.stats();
    return stats !== undefined && isRelayed(stats);
  }

  /** Level of the last audio packet played, linear, 0 (silence) to 1; 0 if that is long ago. */
  get volume(): number {
    return Math.max(0, ...this.#pc.getTransceivers().map(({ receiver }) => this.#levels.of(receiver)));
  }

  close(): void {
    this.#closed = true;
    this.#guard.stop();
    this.#channel?.close();
    const pc = this.#pc;
    pc.onnegotiationneeded = pc.onicecandidate = pc.ontrack = pc.ondatachannel = pc.onconnectionstatechange = null;
    pc.close();
  }

  #addListeners(): void {
    const pc = this.#pc;
    pc.onnegotiationneeded = () => this.#offer();
    pc.onicecandidate = ({ candidate }) => {
      if (candidate) this.#setup.send({ candidate: candidate.toJSON() });
    };
    pc.ontrack = ({ track }) => {
      this.#setup.track(track);
      this.#guard.start();
    };
    pc.ondatachannel = ({ channel }) => this.#refuseChannel(channel);
    pc.onconnectionstatechange = () => this.#setup.state(pc.connectionState);
  }

  #createChannel(): Channel {
    const { opened, heard, allowance } = this.#setup;
    return new Channel(this.#pc, {
      opened,
      heard: (data) => {
        heard(data);
        if (allowance.isFlooding) this.#abort('the peer floods the data channel');
      },
    });
  }

  /** The browser keeps every channel that a peer opens until it is closed. */
  #refuseChannel(channel: RTCDataChannel): void {
    channel.close();
    if (!this.#setup.allowance.take('channel')) this.#abort('the peer opens too many data channels');
  }

  /** Ends the connection to a peer that abuses it. The link makes another one later, within the peer's limits. */
  #abort(reason: string): void {
    if (this.#closed) return;
    this.#warning(new Error(reason));
    this.close();
    this.#setup.state('disconnected');
  }

  /** Ends the connection for good: each further one would cost the same again. */
  #block(reason: string): void {
    this.#setup.allowance.block();
    this.#abort(reason);
  }

  async #offer(): Promise<void> {
    this.#offering = true;
    await this.#attempt(async () => {
      await this.#pc.setLocalDescription();
      this.#sendDescription();
    });
    this.#offering = false;
  }

  async #onDescription({ type, sdp }: Description, polite: boolean): Promise<void> {
    const isOffer = type === 'offer';
    const ufrag = ufragOf(sdp);
    if (ufrag !== this.#remoteUfrag) this.#candidatesLeft = bounds.candidates;
    this.#remoteUfrag = ufrag;
    const ready = !this.#offering && (this.#pc.signalingState === 'stable' || this.#answering);
    this.#ignoringOffer = isOffer && !ready && !polite;
    if (this.#ignoringOffer) return;
    // Chromium's `remoteDescription` omits this.
    this.#remoteIsFirefox = sdp.includes('o=mozilla');
    await this.#setRemoteDescription({ type, sdp: limitSdp(sdp, () => this.#takeCandidate()) });
    if (!isOffer || this.#closed) return;
    this.#useTransceivers();
    await this.#pc.setLocalDescription();
    this.#sendDescription();
  }

  async #setRemoteDescription(description: RTCSessionDescriptionInit): Promise<void> {
    try {
      this.#answering = description.type === 'answer';
      // If this side is polite and its own offer is pending, this rolls that offer back implicitly.
      await this.#pc.setRemoteDescription(description);
    } finally {
      this.#answering = false;
    }
  }

  async #addCandidate(candidate: RTCIceCandidateInit): Promise<void> {
    // Read now: by the time adding fails, the next description may have changed it.
    const ignoring = this.#ignoringOffer;
    if (!this.#takeCandidate()) return;
    try {
      await this.#pc.addIceCandidate(candidate);
    } catch (error) {
      if (!ignoring) throw error;
    }
  }

  /** Whether another candidate is allowed. Each is paired with every local one, and every pair costs connectivity checks. */
  #takeCandidate(): boolean {
    if (this.#candidatesLeft === 0 || !this.#setup.allowance.take('candidate')) return false;
    this.#candidatesLeft -= 1;
    return true;
  }

  #sendDescription(): void {
    const description = this.#pc.localDescription;
    // Serializes as `type` and `sdp`.
    if (description && !this.#closed) this.#setup.send({ description });
  }

  #addTransceivers(): void {
    for (const kind of kinds) {
      this.#senders[kind] = this.#pc.addTransceiver(kind, { streams: [this.#localStream] }).sender;
      this.#replaceTrack(kind);
    }
    this.#channel = this.#createChannel();
    // Without waiting for `negotiationneeded`: by then the page may be busy rendering.
    this.#offer();
  }

  /** The answering side sends over the transceivers of the first offer. */
  #useTransceivers(): void {
    for (const kind of kinds) {
      if (this.#senders[kind]) continue;
      const transceiver = this.#pc.getTransceivers().find(({ receiver }) => receiver.track.kind === kind);
      if (!transceiver) continue;
      transceiver.direction = 'sendrecv';
      transceiver.sender.setStreams(this.#localStream);
      this.#senders[kind] = transceiver.sender;
      this.#replaceTrack(kind);
    }
    this.#channel ??= this.#createChannel();
  }

  #replaceTrack(kind: (typeof kinds)[number]): void {
    const sender = this.#senders[kind];
    const track = this.#tracks[kind];
    if (sender && sender.track !== track) this.#attempt(() => sender.replaceTrack(track));
  }

  /** Runs a synchronous or asynchronous operation and reports its failure as a warning. */
  async #attempt(operation: () => unknown): Promise<void> {
    try {
      await operation();
    } catch (error) {
      this.#warning(error);
    }
  }

  #warning(error: unknown): void {
    // After close() every pending operation fails, as expected.
    if (!this.#closed) this.#setup.warning(error);
  }
}

const ufragOf = (sdp: string | undefined): string | undefined => sdp?.match(/ice-ufrag:.*/)?.[0];
