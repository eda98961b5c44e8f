/**
 * One RTCPeerConnection and how both ends agree on it: perfect negotiation, in which only the initiator makes the first
 * offer. Camera and microphone have their two places in it from that first offer on, whether or not there is a track to
 * send, and the data channel has its own: muting, unmuting and changing a device are `replaceTrack`, and nothing of it needs
 * further negotiation.
 */
import type { Allowance } from './allowance.ts';
import { Channel, type ChannelSetup } from './channel.ts';
import { bounds, type Description, type Negotiable } from './link-signal.ts';
import { type Ice, isRelayed, kinds, type PeerConnection, type Rtc, type Tracks } from './rtc.ts';
import type { VideoLimits } from './video-budget.ts';

export type NegotiationSetup = ChannelSetup & {
  allowance: Allowance;
  initiator: boolean;
  ice: Ice;
  tracks: Tracks;
  rtc: Rtc;
  send(data: Negotiable): void;
  /** The connection's state changed. */
  state(state: RTCPeerConnectionState): void;
  track(track: MediaStreamTrack): void;
  /** Something went wrong that the negotiation itself cannot mend. */
  warning(error: unknown): void;
};

export class Negotiation {
  #setup: NegotiationSetup;
  #pc: PeerConnection;
  #label: MediaStream;
  #channel: Channel | undefined;
  #limits: VideoLimits | undefined;
  #senders: { audio?: RTCRtpSender; video?: RTCRtpSender } = {};
  #tracks: Tracks;
  #offering = false;
  #answering = false;
  #ignoring = false;
  #closed = false;
  #withFirefox: boolean | undefined;
  /** The other side's present search for a path, and how many candidates may still come for it. */
  #search: string | undefined;
  #candidates: number = bounds.candidates;

  constructor(setup: NegotiationSetup) {
    this.#setup = setup;
    this.#tracks = setup.tracks;
    this.#pc = setup.rtc.connection({ ...setup.ice, bundlePolicy: 'max-bundle' });
    // Both tracks of a peer carry the same stream label: receivers keep such tracks in step.
    this.#label = setup.rtc.stream();
    this.#listen();
    if (setup.initiator) this.#attempt(() => this.#offerPlaces());
  }

  /** Nothing is being agreed on that the other side might not hear of any more. */
  get settled(): boolean {
    return this.#pc.signalingState === 'stable' && !this.#offering;
  }

  get failed(): boolean {
    return this.#pc.connectionState === 'failed';
  }

  /** Takes what the other side sent; `polite`: this side takes its own offer back for theirs. Never rejects: what fails is told as trouble. */
  async receive(data: Negotiable, polite: boolean): Promise<void> {
    await this.#attempt(() => {
      if ('description' in data) return this.#describe(data.description, polite);
      return 'candidate' in data ? this.#addCandidate(data.candidate) : this.#pc.restartIce();
    });
  }

  /** There once both ends have agreed on it. */
  get channel(): Channel | undefined {
    return this.#channel;
  }

  setTracks(tracks: Tracks): void {
    this.#tracks = tracks;
    for (const kind of kinds) this.#fill(kind);
  }

  /** Statistics of the connection; undefined when it has none to give any more. */
  async stats(): Promise<RTCStatsReport | undefined> {
    try {
      return this.#closed ? undefined : await this.#pc.getStats();
    } catch (error) {
      this.#warning(error);
      return undefined;
    }
  }

  /** Sends no more video than that. */
  setLimits(limits: VideoLimits): void {
    if (JSON.stringify(limits) === JSON.stringify(this.#limits)) return;
    this.#limits = limits;
    this.#encode(this.#senders.video, limits);
    // Where both cannot be sent, words go first. https://www.w3.org/TR/webrtc-priority/
    this.#encode(this.#senders.audio, { priority: 'high', networkPriority: 'high' });
  }

  /** Servers for the next path; the present one is left alone. */
  setIce(ice: Ice): void {
    this.#attempt(() => this.#pc.setConfiguration({ ...this.#pc.getConfiguration(), ...ice }));
  }

  /**
   * Looks for a new path between the two. Firefox is asked to begin: to Chromium's offer it may answer with another role in DTLS,
   * which Chromium refuses (https://bugzilla.mozilla.org/show_bug.cgi?id=1240897), and in one search of five Chromium settled on the
   * port that Firefox had before, where nothing is taken any more, and both stayed `connected`.
   */
  restart(): void {
    if (this.#withFirefox) this.#setup.send({ restart: true });
    else this.#attempt(() => this.#pc.restartIce());
  }

  /** Names the present search for a path: another one after a restart, whichever side began it. */
  get search(): string | undefined {
    return searchOf(this.#pc.localDescription?.sdp);
  }

  /** Whether the present path goes through a TURN server of this side. Never rejects. */
  async isRelayed(): Promise<boolean> {
    const stats = await this.stats();
    return stats !== undefined && isRelayed(stats);
  }

  /** How loud the other side is, as in the last packet of sound that was played: 0, silence, to 1, on a linear scale. */
  get volume(): number {
    const of = ({ receiver }: RTCRtpTransceiver) => receiver.getSynchronizationSources()[0]?.audioLevel ?? 0;
    return Math.max(0, ...this.#pc.getTransceivers().map(of));
  }

  close(): void {
    this.#closed = true;
    this.#channel?.close();
    const pc = this.#pc;
    pc.onnegotiationneeded = pc.onicecandidate = pc.ontrack = pc.ondatachannel = pc.onconnectionstatechange = null;
    pc.close();
  }

  #listen(): void {
    const pc = this.#pc;
    pc.onnegotiationneeded = () => this.#offer();
    pc.onicecandidate = ({ candidate }) => {
      if (candidate) this.#setup.send({ candidate: candidate.toJSON() });
    };
    pc.ontrack = ({ track }) => this.#setup.track(track);
    // Each that a peer opens is kept by the browser until it is closed.
    pc.ondatachannel = ({ channel }) => channel.close();
    pc.onconnectionstatechange = () => this.#setup.state(pc.connectionState);
  }

  async #offer(): Promise<void> {
    this.#offering = true;
    await this.#attempt(async () => {
      await this.#pc.setLocalDescription();
      this.#sendDescription();
    });
    this.#offering = false;
  }

  async #describe({ type, sdp }: Description, polite: boolean): Promise<void> {
    const isOffer = type === 'offer';
    const search = searchOf(sdp);
    if (search !== this.#search) this.#candidates = bounds.candidates;
    this.#search = search;
    const ready = !this.#offering && (this.#pc.signalingState === 'stable' || this.#answering);
    this.#ignoring = isOffer && !ready && !polite;
    if (this.#ignoring) return;
    // Chromium's `remoteDescription` leaves that out.
    this.#withFirefox = sdp.includes('o=mozilla');
    await this.#apply({ type, sdp: sdp.replace(candidateLines, (line) => (this.#admits() ? line : '')) });
    if (!isOffer || this.#closed) return;
    this.#takePlaces();
    await this.#pc.setLocalDescription();
    this.#sendDescription();
  }

  async #apply(description: RTCSessionDescriptionInit): Promise<void> {
    try {
      this.#answering = description.type === 'answer';
      // With a polite peer's own offer under way this takes that one back by itself.
      await this.#pc.setRemoteDescription(description);
    } finally {
      this.#answering = false;
    }
  }

  async #addCandidate(candidate: RTCIceCandidateInit): Promise<void> {
    // Remembered now: by the time it is refused, the next description may have changed the answer.
    const ignoring = this.#ignoring;
    if (!this.#admits()) return;
    try {
      await this.#pc.addIceCandidate(candidate);
    } catch (error) {
      if (!ignoring) throw error;
    }
  }

  /** Whether one more candidate is not too many: each is paired with each of this side, and every pair costs checks. */
  #admits(): boolean {
    if (this.#candidates === 0 || !this.#setup.allowance.take('candidate')) return false;
    this.#candidates -= 1;
    return true;
  }

  #sendDescription(): void {
    const description = this.#pc.localDescription;
    // In JSON it is its type and its sdp.
    if (description && !this.#closed) this.#setup.send({ description });
  }

  #offerPlaces(): void {
    for (const kind of kinds) {
      this.#senders[kind] = this.#pc.addTransceiver(kind, { streams: [this.#label] }).sender;
      this.#fill(kind);
    }
    this.#channel = new Channel(this.#pc, this.#setup);
    // Now, and not when the event says so: by then the page may be busy drawing.
    this.#offer();
  }

  /** The answering side sends in the places that the first offer brought. */
  #takePlaces(): void {
    for (const kind of kinds) {
      if (this.#senders[kind]) continue;
      const transceiver = this.#pc.getTransceivers().find(({ receiver }) => receiver.track.kind === kind);
      if (!transceiver) continue;
      transceiver.direction = 'sendrecv';
      transceiver.sender.setStreams(this.#label);
      this.#senders[kind] = transceiver.sender;
      this.#fill(kind);
    }
    this.#channel ??= new Channel(this.#pc, this.#setup);
  }

  #encode(sender: RTCRtpSender | undefined, change: Partial<RTCRtpEncodingParameters>): void {
    const parameters = sender?.getParameters();
    const [encoding] = parameters?.encodings ?? [];
    if (!parameters || !encoding) return;
    Object.assign(encoding, change);
    this.#attempt(() => sender?.setParameters(parameters));
  }

  #fill(kind: (typeof kinds)[number]): void {
    const sender = this.#senders[kind];
    const track = this.#tracks[kind];
    if (sender && sender.track !== track) this.#attempt(() => sender.replaceTrack(track));
  }

  /** Does what may fail at once or later, and tells of it as trouble. */
  async #attempt(what: () => unknown): Promise<void> {
    try {
      await what();
    } catch (error) {
      this.#warning(error);
    }
  }

  #warning(error: unknown): void {
    // After close() every pending operation fails, as it should.
    if (!this.#closed) this.#setup.warning(error);
  }
}

const candidateLines = /^a=\s*candidate.*\s*/gim;

const searchOf = (sdp: string | undefined): string | undefined => sdp?.match(/ice-ufrag:.*/)?.[0];
