/**
 * The public types of `genkan/client`, served as `/js/genkan.d.ts` next to `/js/genkan.js`; it must therefore import nothing.
 * A test compares it with the library.
 */

/** Joins a room and stays until leave(), the page unloads, or the server ends the session. Reconnects automatically. */
export declare const join: (options: JoinOptions) => Room;
/**
 * Offers files to peers and reports the files that they offer, including earlier offers.
 * @throws Error if the page is not a secure context (https, or localhost): SHA-256 is unavailable there
 */
export declare const files: (room: Room, options?: FileOptions) => Files;

export type JoinOptions = {
  room: string;
  /** URL where Genkan is served, with a trailing slash: `https://meet.example/`. Default: the page's base URL. */
  base?: string | URL;
  /** Display name: 1 to 64 characters. */
  name?: string;
  /** What to send: the first audio and the first video track. null: receive only. */
  media?: MediaStream | null;
  token?: string;
  passcode?: string;
  /** `Room.session` from before a page reload: resumes the same session and role. */
  session?: string | undefined;
  /** `relay`: connect only through a TURN server, so that peers do not learn this device's IP addresses. Default: `all`. */
  iceTransportPolicy?: RTCIceTransportPolicy;
};

export interface Room {
  readonly state: ConnectionState;
  /** The current transport to the server. */
  readonly transport: Transport | undefined;
  /** Undefined until the room is joined. */
  readonly roomState: RoomState | undefined;
  /** Secret that resumes this session after a page reload. */
  readonly session: string | undefined;
  /** The other peers, in the order in which they joined. */
  readonly peers: RemotePeer[];
  /** @returns a function that removes the listener */
  on<Name extends keyof RoomEvents>(name: Name, listener: (value: RoomEvents[Name]) => void): () => void;
  /**
   * Sends `text` (1 to 4000 characters) to everyone else, or to one peer. Resolves when the room has accepted or refused it.
   * @throws RangeError if it is empty or too long; so does every method that sends to the room
   */
  chat(text: string, to?: PeerId): Promise<Settled>;
  /**
   * Sends a few characters (1 to 64) to everyone, peer to peer; they are stored nowhere.
   * @returns false if rate-limited
   * @throws RangeError if it is empty or too long
   */
  react(text: string): boolean;
  /** Playback level of a peer's stream, linear, 0 (silence) to 1. Cheap enough to call on every frame. */
  volume(peer: PeerId): number;
  /** Changes the name (1 to 64 characters), media state or raised hand that peers see; a new token replaces the one from the join. */
  update(change: { name?: string; media?: MediaState; hand?: boolean; token?: string }): Promise<Settled>;
  /**
   * Sends this stream's tracks from now on and tells peers which kinds are on. Call it after every change: another stream, such as
   * a screen instead of the camera, or a track added, removed, stopped, enabled or disabled. Needs no renegotiation.
   * `mediaState` overrides what is derived from the tracks: that the video is a screen, or that a mixed audio track contains no voice.
   */
  setMedia(media: MediaStream | null, mediaState?: MediaState): void;
  /** Tries again to reach a peer whose `connectionState` is `failed`. */
  retry(peer: PeerId): void;
  /** This device changed networks: looks for new paths now instead of waiting until the old ones time out. */
  networkChanged(): void;
  /** Checks now whether the connection to the server is alive, or reconnects immediately. */
  checkConnection(): void;
  /** With `mayReturn` the session is kept for some seconds, so that a reloaded page can resume it. */
  leave(mayReturn?: boolean): void;

  // For hosts; anyone else is refused with `not-allowed`.
  admit(peer: PeerId): Promise<Settled>;
  deny(peer: PeerId): Promise<Settled>;
  /** Who may join from now on. */
  lock(access: Access): Promise<Settled>;
  /** Passcode required to join (1 to 256 characters); null: none. */
  setPasscode(passcode: string | null): Promise<Settled>;
  setRole(peer: PeerId, role: Role): Promise<Settled>;
  /** `ban`: the peer may not rejoin. `network`: nor may anyone from its network, for an hour. */
  kick(peer: PeerId, ban?: boolean, network?: boolean): Promise<Settled>;
  requestMute(peer: PeerId, kind: MediaKind): Promise<Settled>;
  /** Ends the room for everyone. */
  end(): Promise<Settled>;
}

export type RoomEvents = {
  state: ConnectionState;
  /** The own role, access to the room, or the lobby changed. */
  'room-state': RoomState;
  'peer-joined': RemotePeer;
  'peer-updated': RemotePeer;
  'peer-left': { peer: RemotePeer; reason: LeaveReason };
  chat: Chat;
  reaction: { from: PeerId; text: string };
  /** Quality of the path to a peer, every few seconds; `peer-updated` is emitted only when the level changes. */
  quality: { peer: PeerId; quality: Quality };
  /** A host asks you to turn this off. */
  'mute-request': { from: PeerId; kind: MediaKind };
  /** A message was refused permanently; the connection continues. */
  refused: { code: ErrorCode; message: string };
  /** A failure that did not end the call, for logging. Without `peer` the server caused it. */
  warning: { peer?: PeerId; error: unknown };
};

/**
 * `connecting`: not joined yet. `waiting`: in the lobby until a host admits; `host`: whether one is present. `reconnecting`: the
 * session may still exist; media continues. `closed`: final; `code` gives the reason.
 */
export type ConnectionState =
  | { state: 'connecting'; attempt: number; because?: ErrorCode }
  | { state: 'waiting'; host: boolean }
  | { state: 'joined' }
  | { state: 'reconnecting'; attempt: number; because?: ErrorCode }
  | { state: 'closed'; code: ErrorCode };

/** Immutable snapshot of a peer, replaced whenever anything changes. */
export type RemotePeer = Readonly<{
  id: PeerId;
  name?: string | undefined;
  role: Role;
  /** What the peer claims to send; only the tracks themselves are reliable. */
  media: MediaState;
  /** Whether its hand is raised. */
  hand: boolean;
  /** Its connection to the server is lost; media continues. */
  away: boolean;
  connectionState: LinkState;
  /** For a video element's `srcObject`; a new object after each new connection. */
  stream: MediaStream;
  /** Undefined for the first few seconds. */
  quality?: Quality | undefined;
}>;

/** `connecting`: never connected yet. `reconnecting`: was connected and tries again. `failed`: gave up; retry() tries again. */
export type LinkState = 'connecting' | 'connected' | 'reconnecting' | 'failed' | 'closed';

export type Level = 'good' | 'fair' | 'poor';
/** Measured over the last few seconds. */
export type Quality = Readonly<{
  level: Level;
  /** Round-trip time in milliseconds; undefined if the browser does not report it. */
  rtt: number | undefined;
  /** Fraction of packets lost, 0 to 1: inbound, and outbound as reported by the peer. */
  lossIn: number;
  lossOut: number;
  /** Bits per second. */
  bitrateIn: number;
  bitrateOut: number;
  /** The browser's estimate of outgoing bandwidth, in bits per second; undefined if not reported. */
  available: number | undefined;
  /** Whether the path goes through a TURN server of either side. */
  relayed: boolean;
}>;

/** The own participant, access to the room, and the lobby. */
export type RoomState = Readonly<{
  self: { id: PeerId; name?: string | undefined; role: Role; media: MediaState; hand: boolean };
  /** `passcode`: whether one is required to join. */
  room: { access: Access; passcode: boolean };
  /** Peers in the lobby, whom a host may admit; empty for guests. */
  waiting: { id: PeerId; name?: string | undefined; away: boolean }[];
}>;

/** `at`: server time, milliseconds since 1970. `to` is set if the message is private. */
export type Chat = { from: PeerId; text: string; at: number; to?: PeerId | undefined };

/** The outcome of a message: accepted by the room, or refused permanently. */
export type Settled = { accepted: true } | { accepted: false; code: ErrorCode };

export type PeerId = string;
export type Role = 'host' | 'guest';
/** Who may join: everyone, those whom a host admits, or nobody. */
export type Access = 'open' | 'knock' | 'locked';
export type MediaKind = 'audio' | 'video' | 'screen';
export type MediaState = { audio: boolean; video: boolean; screen?: boolean | undefined };
export type LeaveReason = 'left' | 'timeout' | 'error' | 'kicked';
export type Transport = 'websocket' | 'sse' | 'poll';
/** An error code of the protocol, such as `room-full`; newer servers may have more. */
export type ErrorCode = string;

export type FileOptions = {
  /** Maximum file size in bytes, sent or received; default: 100 MiB. */
  limit?: number;
};

export interface Files {
  /** A peer offers a file; call accept() or decline(). @returns a function that removes the listener */
  on(name: 'file', listener: (file: Incoming) => void): () => void;
  /** If the peer is not in the room, the transfer closes with `left`. @throws RangeError if the file exceeds the limit */
  offer(peer: PeerId, file: File): Outgoing;
  /** Ends every transfer; called automatically when the room closes. */
  close(): void;
}

export interface Transfer {
  readonly peer: PeerId;
  readonly name: string;
  /** Total bytes, and those of them received and verified. */
  readonly size: number;
  readonly progress: number;
  /** For received files, a type from an allow list of types that run no scripts when opened, else `application/octet-stream`. */
  readonly type: string;
  readonly state: TransferState;
  /** @returns a function that removes the listener */
  on(name: 'state', listener: (state: TransferState) => void): () => void;
  on(name: 'progress', listener: (bytes: number) => void): () => void;
}

export interface Incoming extends Transfer {
  accept(): void;
  /** Also while the transfer is running. */
  decline(): void;
}

export interface Outgoing extends Transfer {
  cancel(): void;
}

/** `offered`: the receiver has not decided. `paused`: the connection was lost. `done` has the file on the receiving side. */
export type TransferState =
  | { state: 'offered' }
  | { state: 'running' }
  | { state: 'paused' }
  | { state: 'done'; file?: File }
  | { state: 'closed'; reason: TransferEnd };
/** `left`: the peer left, or the room closed. `damaged`: the received data differs from what was sent. */
export type TransferEnd = 'declined' | 'cancelled' | 'too-large' | 'damaged' | 'left';
