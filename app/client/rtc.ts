/** The WebRTC APIs that the library uses, which tests replace by a fake. */

/** The members of RTCPeerConnection that the library uses. */
export type PeerConnection = Pick<
  RTCPeerConnection,
  | 'addIceCandidate'
  | 'addTransceiver'
  | 'close'
  | 'connectionState'
  | 'createDataChannel'
  | 'getConfiguration'
  | 'getStats'
  | 'getTransceivers'
  | 'localDescription'
  | 'onconnectionstatechange'
  | 'ondatachannel'
  | 'onicecandidate'
  | 'onnegotiationneeded'
  | 'ontrack'
  | 'restartIce'
  | 'setConfiguration'
  | 'setLocalDescription'
  | 'setRemoteDescription'
  | 'signalingState'
>;

export type Rtc = {
  connection(configuration: RTCConfiguration): PeerConnection;
  stream(): MediaStream;
};

/** The part of RTCConfiguration that can change during a session. */
export type Ice = { iceServers: RTCIceServer[]; iceTransportPolicy: RTCIceTransportPolicy };

export const browserRtc: Rtc = {
  connection: (configuration) => new RTCPeerConnection(configuration),
  stream: () => new MediaStream(),
};

/** What a peer sends: at most one track of each kind. The transceiver of a missing track is kept. */
export type Tracks = { audio: MediaStreamTrack | null; video: MediaStreamTrack | null };
export const kinds = ['audio', 'video'] as const;

export const tracksOf = (stream: MediaStream | null): Tracks => ({
  audio: stream?.getAudioTracks()[0] ?? null,
  video: stream?.getVideoTracks()[0] ?? null,
});

/** The selected candidate pair in the statistics. */
// biome-ignore lint/suspicious/noExplicitAny: statistics are untyped, https://www.w3.org/TR/webrtc/#rtcstatsreport-object
export const pairOf = (stats: RTCStatsReport): any => {
  const all = [...stats.values()];
  const chosen: unknown = all.find(({ type }) => type === 'transport')?.selectedCandidatePairId;
  // Firefox marks the pair itself.
  return all.find(({ type, id, selected }) => type === 'candidate-pair' && (id === chosen || selected === true));
};

/** Whether the path goes through this side's TURN server, by the local candidate of the selected pair. */
export const isRelayed = (stats: RTCStatsReport): boolean =>
  stats.get(pairOf(stats)?.localCandidateId)?.candidateType === 'relay';

/** Milliseconds without a packet after which a level is outdated: browsers report the last one for ten seconds. */
const maxLevelAge = 500;

/** The levels of what receivers play. Timestamps are only compared with each other: not every browser uses the same clock for them. */
export class AudioLevels {
  /** The timestamp of the last packet, and when it was read first. */
  #last = new WeakMap<object, { timestamp: number; since: number }>();

  /** Level of the last packet, linear, 0 (silence) to 1; 0 if none has arrived for a while. */
  of(receiver: Pick<RTCRtpReceiver, 'getSynchronizationSources'>): number {
    const [source] = receiver.getSynchronizationSources();
    if (!source) return 0;
    const { timestamp, audioLevel = 0 } = source;
    const now = performance.now();
    const before = this.#last.get(receiver);
    if (before?.timestamp === timestamp) return now - before.since > maxLevelAge ? 0 : audioLevel;
    this.#last.set(receiver, { timestamp, since: now });
    return audioLevel;
  }
}
