/**
 * The public types of `genkan/client`, served as `/js/genkan.d.ts` next to `/js/genkan.js`; it must therefore import nothing.
 * A test compares it with the library.
 */

/**
 * Joins a room. The peer stays until leave() is called, the page unloads, or the server ends the session. Reconnects automatically.
 * A refusal is no exception: the room's `state` is then `closed`, with its `code`.
 */
export declare const join: (options: JoinOptions) => Room;
/**
 * Transfers files between the peers of a room. Files that peers offered before this call are reported too.
 * @throws Error if the page is not a secure context (https, or localhost): SHA-256 is unavailable there
 */
export declare const files: (room: Room, options?: FileOptions) => Files;

export type JoinOptions = {
  /** Room name: 1 to 64 letters, digits, `-` or `_` of any script. */
  room: string;
  /** URL where Genkan is served, with a trailing slash: `https://meet.example/`. Default: the page's base URL. */
  base?: string | URL;
  /** Display name: 1 to 64 characters. */
  name?: string;
  /** What to send: the first audio and the first video track. null: receive only. */
  media?: MediaStream | null;
  /** JSON Web Token, if the server requires one, or for the role and name in it. */
  token?: string;
  /** 1 to 256 characters, if the room requires one. */
  passcode?: string;
  /** `Room.session` from before a page reload: resumes the same session and role. */
  session?: string | undefined;
  /** `relay`: connect only through a TURN server, so that peers do not learn this device's IP addresses. Default: `all`. */
  iceTransportPolicy?: RTCIceTransportPolicy;
};

export interface Room {
  /** The connection to the server. */
  readonly state: ConnectionState;
  /** The current transport to the server. */
  readonly transport: Transport | undefined;
  /** Undefined until the room is joined. */
  readonly roomState: RoomState | undefined;
  /** Secret that resumes this session after a page reload, as `JoinOptions.session`. Undefined until the room is joined. */
  readonly session: string | undefined;
  /** The other peers, in the order in which they joined. */
  readonly peers: RemotePeer[];
  /** @returns a function that removes the listener */
  on<Name extends keyof RoomEvents>(name: Name, listener: (value: RoomEvents[Name]) => void): () => void;
  /**
   * Sends `text` (1 to 4000 characters) to everyone else, or to one peer. Like every method that sends to the room, it resolves when the
   * room has accepted or refused the message, also after a reconnect, and never rejects.
   * @throws RangeError if a text or name is empty or too long, or a peer id invalid; so do all methods that send to the room
   */
  chat(text: string, to?: PeerId): Promise<Settled>;
  /**
   * Sends a few characters (1 to 64) to everyone, peer to peer; they are stored nowhere.
   * @returns false if rate-limited
   * @throws RangeError if it is empty or too long
   */
  react(text: string): boolean;
  /** Playback level of a peer's stream, linear, 0 (silence) to 1; 0 half a second after its last packet. Cheap enough to call on every frame. */
  volume(peer: PeerId): number;
  /** Changes the name (1 to 64 characters), media state or raised hand that peers see; a new token replaces the one from the join. */
  update(change: { name?: string; media?: MediaState; hand?: boolean; token?: string }): Promise<Settled>;
  /**
   * Sends the first audio and the first video track of this stream from now on, and tells peers which kinds are on. Call it after every
   * change: another stream, such as a screen instead of the camera, or a track added, removed, stopped, enabled or disabled. null: send
   * nothing. `mediaState` replaces what is derived from the tracks: that the video is a screen, or that a mixed audio track has no voice.
   */
  setMedia(media: MediaStream | null, mediaState?: MediaState): void;
  /** Tries again to reach a peer whose `connectionState` is `failed`. */
  retry(peer: PeerId): void;
  /**
   * Looks for new paths to all peers now, instead of waiting until the old ones time out. The library calls it when the browser reports
   * another network.
   */
  networkChanged(): void;
  /**
   * Checks now whether the connection to the server works; while reconnecting, tries again immediately. The library calls it when the page
   * becomes visible.
   */
  checkConnection(): void;
  /**
   * Leaves the room, and removes all connections, timers and listeners. With `mayReturn` the server keeps the session for some seconds, so
   * that a reloaded page can resume it; the library does this when the page unloads.
   */
  leave(mayReturn?: boolean): void;

  // For hosts. Guests are refused with `not-allowed`.

  /** Admits a peer in the lobby. */
  admit(peer: PeerId): Promise<Settled>;
  /** Refuses a peer in the lobby. */
  deny(peer: PeerId): Promise<Settled>;
  /** Who may join from now on. */
  lock(access: Access): Promise<Settled>;
  /** Sets the passcode (1 to 256 characters) that new peers need; null: none. */
  setPasscode(passcode: string | null): Promise<Settled>;
  /** Makes a peer host or guest. The last host stays host (`last-host`). */
  setRole(peer: PeerId, role: Role): Promise<Settled>;
  /** Removes a peer. `ban`: it may not join again. `network`, together with `ban`: nor may anyone from its network, for an hour. */
  kick(peer: PeerId, ban?: boolean, network?: boolean): Promise<Settled>;
  /** Asks a peer to turn this off. It gets the event `mute-request` and decides itself. */
  requestMute(peer: PeerId, kind: MediaKind): Promise<Settled>;
  /** Ends the room for everyone. */
  end(): Promise<Settled>;
}

export type RoomEvents = {
  /** The connection to the server changed. */
  state: ConnectionState;
  /** The own role, who may join, or the lobby changed. */
  'room-state': RoomState;
  'peer-joined': RemotePeer;
  /** Any field of a peer changed, including `stream` and `connectionState`. */
  'peer-updated': RemotePeer;
  /** `peer`: its last snapshot. */
  'peer-left': { peer: RemotePeer; reason: LeaveReason };
  /** A text from another peer. */
  chat: Chat;
  /** A few characters from another peer, sent with react(). */
  reaction: { from: PeerId; text: string };
  /** Quality of the path to a peer, every three seconds. `peer-updated` is emitted only when the level changes. */
  quality: { peer: PeerId; quality: Quality };
  /** A host asks you to turn this off. */
  'mute-request': { from: PeerId; kind: MediaKind };
  /** A message was refused permanently; the connection continues. */
  refused: { code: ErrorCode; message: string };
  /** A failure that did not end the call, for logging. Without `peer` the server caused it. */
  warning: { peer?: PeerId; error: unknown };
};

/**
 * - `connecting`: not joined yet. `attempt`: the number of tries; `because`: the code of the server's last refusal, if there was one.
 * - `waiting`: in the lobby until a host admits. `host`: whether a host is present.
 * - `joined`: in the room.
 * - `reconnecting`: the connection to the server is lost, and the session may still exist. Media continues.
 * - `closed`: final. `code`: the reason.
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
  /** What the peer says it sends, for icons. Only the tracks of `stream` are reliable. */
  media: MediaState;
  /** Whether its hand is raised. */
  hand: boolean;
  /** Its connection to the server is lost; media continues. */
  away: boolean;
  /** The connection between this page and the peer. */
  connectionState: LinkState;
  /** For a video element's `srcObject`; a new object after each new connection. */
  stream: MediaStream;
  /** Undefined for the first few seconds. */
  quality?: Quality | undefined;
}>;

/** `connecting`: not connected yet. `reconnecting`: was connected, and tries again. `failed`: given up until retry(). `closed`: the peer left. */
export type LinkState = 'connecting' | 'connected' | 'reconnecting' | 'failed' | 'closed';

export type Level = 'good' | 'fair' | 'poor';
/** Quality of the path to a peer, measured over the last few seconds. */
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

/** The own peer, who may join, and the lobby. */
export type RoomState = Readonly<{
  self: { id: PeerId; name?: string | undefined; role: Role; media: MediaState; hand: boolean };
  /** `passcode`: whether one is required to join. */
  room: { access: Access; passcode: boolean };
  /** Peers in the lobby, whom a host may admit; empty for guests. */
  waiting: { id: PeerId; name?: string | undefined; away: boolean }[];
}>;

/** A text. `at`: server time, milliseconds since 1970. `to`: set if the text is only for this peer. */
export type Chat = { from: PeerId; text: string; at: number; to?: PeerId | undefined };

/** The outcome of a message: accepted by the room, or refused permanently. */
export type Settled = { accepted: true } | { accepted: false; code: ErrorCode };

export type PeerId = string;
export type Role = 'host' | 'guest';
/** Who may join: everyone, those whom a host admits, or nobody. */
export type Access = 'open' | 'knock' | 'locked';
export type MediaKind = 'audio' | 'video' | 'screen';
export type MediaState = { audio: boolean; video: boolean; screen?: boolean | undefined };
/** `timeout`: away for too long, or evicted from a full room. `error`: the server closed its connection for an error. */
export type LeaveReason = 'left' | 'timeout' | 'error' | 'kicked';
export type Transport = 'websocket' | 'sse' | 'poll';
/** An error code of the protocol, such as `room-full`. Newer servers may have more. All: app/protocol/reference.md, Errors. */
export type ErrorCode = string;

export type FileOptions = {
  /** Maximum file size in bytes, sent or received; default: 100 MiB. */
  limit?: number;
};

export interface Files {
  /** A peer offers a file: call accept() or decline(). @returns a function that removes the listener */
  on(name: 'file', listener: (file: Incoming) => void): () => void;
  /**
   * Offers a file to a peer. If the peer is not in the room, the transfer is `closed` with the reason `left`.
   * @throws RangeError if the file is larger than the limit
   */
  offer(peer: PeerId, file: File): Outgoing;
  /** Ends every transfer; called automatically when the room closes. */
  close(): void;
}

export interface Transfer {
  /** The other side. */
  readonly peer: PeerId;
  /** File name. That of a received file has no path separators, control characters or invisible characters. */
  readonly name: string;
  /** Bytes of the file. */
  readonly size: number;
  /** Bytes that the receiver has received and verified. */
  readonly progress: number;
  /** MIME type. That of a received file is one that runs no scripts when opened, else `application/octet-stream`. */
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

/**
 * - `offered`: the receiver has not decided.
 * - `paused`: the connection to the peer is lost. The transfer continues over the next one.
 * - `done`: `file` is set on the receiving side.
 */
export type TransferState =
  | { state: 'offered' }
  | { state: 'running' }
  | { state: 'paused' }
  | { state: 'done'; file?: File }
  | { state: 'closed'; reason: TransferEnd };
/** `left`: the peer left, or this side left the room. `damaged`: the received bytes do not match their hash. */
export type TransferEnd = 'declined' | 'cancelled' | 'too-large' | 'damaged' | 'left';
