/** WebRTC without media or network: descriptions are names, and the test decides when a connection is connected. */
import type { PeerConnection, Rtc } from '../../app/client/rtc.ts';

type Kind = 'audio' | 'video';

export const fakeTrack = (kind: Kind, label: string = kind): MediaStreamTrack =>
  ({
    ...{ kind, label, enabled: true, readyState: 'live' },
    getSettings: () => (kind === 'video' ? { width: 1280, height: 720 } : {}),
  }) as unknown as MediaStreamTrack;

const fakeStream = (): MediaStream => {
  const tracks: MediaStreamTrack[] = [];
  return {
    addTrack: (track: MediaStreamTrack) => tracks.push(track),
    getTracks: () => tracks,
  } as unknown as MediaStream;
};

class FakeSender {
  track: MediaStreamTrack | null = null;
  replaced = 0;
  async replaceTrack(track: MediaStreamTrack | null): Promise<void> {
    this.replaced += 1;
    this.track = track;
  }
  setStreams(): void {}

  encoding: RTCRtpEncodingParameters = {};
  getParameters = () => ({ encodings: [structuredClone(this.encoding)] });
  setParameters = async ({ encodings }: { encodings: RTCRtpEncodingParameters[] }) => {
    this.encoding = encodings[0] ?? {};
  };
}

/** A data channel that the test opens, fills and drains. */
export class FakeChannel {
  onopen: (() => void) | null = null;
  onmessage: ((event: { data: unknown }) => void) | null = null;
  onbufferedamountlow: (() => void) | null = null;
  onclose: (() => void) | null = null;
  readyState = 'connecting';
  bufferedAmount = 0;
  sent: unknown[] = [];

  open(): void {
    this.readyState = 'open';
    this.onopen?.();
  }

  send(data: unknown): void {
    this.sent.push(data);
  }

  close(): void {
    this.readyState = 'closed';
  }
}

type FakeReceiver = {
  track: MediaStreamTrack;
  volume?: number;
  /** Of the last packet. */
  timestamp: number;
  getSynchronizationSources(): { audioLevel?: number; timestamp: number }[];
};
type FakeTransceiver = { direction: string; sender: FakeSender; receiver: FakeReceiver };

const transceiver = (kind: Kind, direction: string): FakeTransceiver => ({
  direction,
  sender: new FakeSender(),
  receiver: {
    track: fakeTrack(kind, `remote ${kind}`),
    timestamp: 0,
    getSynchronizationSources() {
      return this.volume === undefined ? [] : [{ audioLevel: this.volume, timestamp: this.timestamp }];
    },
  },
});

export type Make = 'Chromium' | 'Firefox';

export class FakePc {
  onnegotiationneeded: (() => void) | null = null;
  onicecandidate: ((event: { candidate: object | null }) => void) | null = null;
  ontrack: ((event: { track: MediaStreamTrack }) => void) | null = null;
  onconnectionstatechange: (() => void) | null = null;
  signalingState = 'stable';
  connectionState = 'new';
  localDescription: RTCSessionDescriptionInit | null = null;
  configuration: RTCConfiguration;
  transceivers: FakeTransceiver[] = [];
  offers = 0;
  rollbacks = 0;
  restarts = 0;
  /** The selected pair's local candidate, as browsers report it. */
  selected: 'host' | 'relay' = 'host';
  candidates: unknown[] = [];
  channel: FakeChannel | undefined;
  /** Further values of the statistics. */
  statistics = {
    at: 0,
    rtt: 0.05,
    lossOut: 0,
    available: undefined as number | undefined,
    bytes: 0,
    arrived: 0,
    lost: 0,
  };
  #name: string;
  #make: Make;
  #descriptions = 0;
  /** Whether a description is being created: negotiationneeded is emitted afterwards, if it still applies. */
  #describing = false;
  #remote: string | undefined;

  constructor(name: string, make: Make, configuration: RTCConfiguration) {
    this.#name = name;
    this.#make = make;
    this.configuration = configuration;
  }

  addTransceiver(kind: Kind): FakeTransceiver {
    const added = transceiver(kind, 'sendrecv');
    this.transceivers.push(added);
    if (this.transceivers.length === 1) this.#needNegotiation();
    return added;
  }

  getTransceivers = () => this.transceivers;
  getConfiguration = () => this.configuration;
  setConfiguration = (configuration: RTCConfiguration) => {
    this.configuration = configuration;
  };

  createDataChannel(): FakeChannel {
    this.channel = new FakeChannel();
    return this.channel;
  }

  sender(kind: Kind): FakeSender | undefined {
    return this.transceivers.find(({ receiver }) => receiver.track.kind === kind)?.sender;
  }

  getStats = async () =>
    new Map<string, object>([
      ['T', { id: 'T', type: 'transport', selectedCandidatePairId: 'P' }],
      ['Q', { id: 'Q', type: 'candidate-pair', localCandidateId: 'other' }],
      [
        'P',
        {
          ...{ id: 'P', type: 'candidate-pair', localCandidateId: 'L', timestamp: this.statistics.at },
          ...{ bytesSent: this.statistics.bytes, bytesReceived: 2 * this.statistics.bytes },
          ...{ currentRoundTripTime: this.statistics.rtt, availableOutgoingBitrate: this.statistics.available },
        },
      ],
      [
        'I',
        { id: 'I', type: 'inbound-rtp', packetsReceived: this.statistics.arrived, packetsLost: this.statistics.lost },
      ],
      ['R', { id: 'R', type: 'remote-inbound-rtp', fractionLost: this.statistics.lossOut }],
      ['L', { id: 'L', type: 'local-candidate', candidateType: this.selected }],
      ['other', { id: 'other', type: 'local-candidate', candidateType: this.selected === 'host' ? 'relay' : 'host' }],
    ]);

  restartIce(): void {
    this.restarts += 1;
    this.#needNegotiation();
  }

  /** As if the page had added something that needs negotiation. */
  renegotiate = () => this.#needNegotiation();

  async setLocalDescription(): Promise<void> {
    this.#describing = true;
    await this.#step().finally(() => {
      this.#describing = false;
    });
    this.#descriptions += 1;
    const type = this.signalingState === 'have-remote-offer' ? 'answer' : 'offer';
    if (type === 'offer') this.offers += 1;
    this.signalingState = type === 'answer' ? 'stable' : 'have-local-offer';
    const usernameFragment = `${this.#name}${this.#descriptions}`;
    const origin = this.#make === 'Firefox' ? 'mozilla...THIS_IS_SDPARTA-140.0' : '-';
    this.localDescription = { type, sdp: `o=${origin} 1 0 IN IP4 0.0.0.0\r\na=ice-ufrag:${usernameFragment}\r\n` };
    // A task of its own, as in browsers: code that awaits the description runs first.
    setImmediate(() => {
      const candidate = { candidate: 'candidate', usernameFragment };
      this.onicecandidate?.({ candidate: { ...candidate, toJSON: () => candidate } });
      this.onicecandidate?.({ candidate: null });
    });
  }

  async setRemoteDescription({ type, sdp }: RTCSessionDescriptionInit): Promise<void> {
    await this.#step();
    if (sdp === 'nonsense') throw new Error('this is no description');
    if (type === 'answer' && this.signalingState !== 'have-local-offer')
      throw new Error(`answer while ${this.signalingState}`);
    // As Chromium does with Firefox's answer to its second offer.
    if (type === 'answer' && this.#make === 'Chromium' && this.#remote && sdp?.includes('mozilla'))
      throw new Error('another role in DTLS');
    if (type === 'offer' && this.signalingState === 'have-local-offer') this.rollbacks += 1;
    const first = this.#remote === undefined;
    this.#remote = sdp;
    this.signalingState = type === 'offer' ? 'have-remote-offer' : 'stable';
    if (this.transceivers.length === 0)
      this.transceivers = [transceiver('audio', 'recvonly'), transceiver('video', 'recvonly')];
    if (first) for (const { receiver } of this.transceivers) this.ontrack?.({ track: receiver.track });
  }

  async addIceCandidate(candidate: RTCIceCandidateInit): Promise<void> {
    await this.#step();
    if (candidate.usernameFragment !== /ufrag:(.*)/.exec(this.#remote ?? '')?.[1])
      throw new Error('a candidate of another description');
    this.candidates.push(candidate);
  }

  close(): void {
    this.connectionState = 'closed';
    this.signalingState = 'closed';
  }

  become(state: string): void {
    this.connectionState = state;
    this.onconnectionstatechange?.();
  }

  /** The sent signals, by kind. */
  sends(kind: Kind): MediaStreamTrack | null | undefined {
    return this.sender(kind)?.track;
  }

  #needNegotiation(): void {
    queueMicrotask(() => this.signalingState === 'stable' && !this.#describing && this.onnegotiationneeded?.());
  }

  async #step(): Promise<void> {
    await Promise.resolve();
    if (this.connectionState === 'closed') throw new Error('the connection is closed');
  }
}

export class FakeRtc implements Rtc {
  made: FakePc[] = [];
  #name: string;
  #make: Make;

  constructor(name: string, make: Make = 'Chromium') {
    this.#name = name;
    this.#make = make;
  }

  connection(configuration: RTCConfiguration): PeerConnection {
    const pc = new FakePc(`${this.#name}${this.made.length + 1}.`, this.#make, configuration);
    this.made.push(pc);
    return pc as unknown as PeerConnection;
  }

  stream = fakeStream;

  get latest(): FakePc {
    const pc = this.made.at(-1);
    if (!pc) throw new Error('no connection was made');
    return pc;
  }
}
