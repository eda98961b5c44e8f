/** The browser's WebRTC as the library asks for it, so that tests can put a fake in its place. */

/** The part of RTCPeerConnection that is used here. */
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

/** The part of RTCConfiguration that changes while a room is open. */
export type Ice = { iceServers: RTCIceServer[]; iceTransportPolicy: RTCIceTransportPolicy };

export const browserRtc: Rtc = {
  connection: (configuration) => new RTCPeerConnection(configuration),
  stream: () => new MediaStream(),
};

/** What a peer sends: at most one track of each kind. A missing one keeps its place in the connection. */
export type Tracks = { audio: MediaStreamTrack | null; video: MediaStreamTrack | null };
export const kinds = ['audio', 'video'] as const;

export const tracksOf = (stream: MediaStream | null): Tracks => ({
  audio: stream?.getAudioTracks()[0] ?? null,
  video: stream?.getVideoTracks()[0] ?? null,
});

/** The candidate pair in use, as the statistics tell of it. */
// biome-ignore lint/suspicious/noExplicitAny: statistics have no types of their own, https://www.w3.org/TR/webrtc/#rtcstatsreport-object
export const pairOf = (stats: RTCStatsReport): any => {
  const all = [...stats.values()];
  const chosen: unknown = all.find(({ type }) => type === 'transport')?.selectedCandidatePairId;
  // Firefox marks the pair itself.
  return all.find(({ type, id, selected }) => type === 'candidate-pair' && (id === chosen || selected === true));
};

/** Whether what this side sends and receives goes through its TURN server: the selected pair's local candidate says so. */
export const isRelayed = (stats: RTCStatsReport): boolean =>
  stats.get(pairOf(stats)?.localCandidateId)?.candidateType === 'relay';
