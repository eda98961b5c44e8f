/** The browser's WebRTC as the library asks for it, so that tests can put a fake in its place. */

/** The part of RTCPeerConnection that is used here. */
export type PeerConnection = Pick<
  RTCPeerConnection,
  | 'addIceCandidate'
  | 'addTransceiver'
  | 'close'
  | 'connectionState'
  | 'getConfiguration'
  | 'getTransceivers'
  | 'localDescription'
  | 'onconnectionstatechange'
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
