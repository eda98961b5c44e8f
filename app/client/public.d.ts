/**
 * What `genkan/client` is for whoever builds on it: served as `/js/genkan.d.ts`, beside the `/js/genkan.js` that it describes, and so
 * it stands alone. A test holds it against the library.
 */

/** Enters a room and stays in it until leave(), the end of the page, or an end that the server decides. Lost connections come back by themselves. */
export declare const join: (options: JoinOptions) => Room;
/**
 * Offers files to peers, and tells of those that they offer, also before.
 * @throws Error on a page that is no secure context (https, or localhost): browsers make no SHA-256 there
 */
export declare const files: (room: Room, options?: FileOptions) => Files;

export type JoinOptions = {
  room: string;
  /** Where Genkan is served, with a slash at its end: `https://meet.example/`. The page's base URL unless told. */
  base?: string | URL;
  /** What the others are told: 1 to 64 characters. */
  name?: string;
  /** What to send: the first audio and the first video track. null = only receive. */
  media?: MediaStream | null;
  token?: string;
  passcode?: string;
  /** `Room.session` of before, when a page was loaded again: the same seat and role. */
  session?: string | undefined;
  /** `relay`: only through a TURN server, so that the others do not learn this device's addresses. `all` unless told. */
  iceTransportPolicy?: RTCIceTransportPolicy;
};

export interface Room {
  readonly state: ConnectionState;
  /** What carries the conversation with the server now. */
  readonly transport: Transport | undefined;
  /** Undefined until the room was entered. */
  readonly roomState: RoomState | undefined;
  /** Takes this seat again, for a page that is loaded again; a secret. */
  readonly session: string | undefined;
  /** The others, in the order in which they came. */
  readonly peers: RemotePeer[];
  /** @returns what stops listening */
  on<Name extends keyof RoomEvents>(name: Name, listener: (value: RoomEvents[Name]) => void): () => void;
  /**
   * Says `text` (1 to 4000 characters) to everyone else, or to one of them; settles when the room has it, or not.
   * @throws RangeError when it is empty or too long; so does every method that says something to the room
   */
  chat(text: string, to?: PeerId): Promise<Settled>;
  /**
   * Shows everyone a few characters (1 to 64), past the server; it is for the moment, and kept nowhere.
   * @returns false when it was too soon after others
   * @throws RangeError when it is too long, or empty
   */
  react(text: string): boolean;
  /** How loud a peer is whose stream is played: 0, silence, to 1, on a linear scale. Costs next to nothing; ask as often as it is shown. */
  volume(peer: PeerId): number;
  /** Tells the others a new name (1 to 64 characters), media state or raised hand; a fresh token takes the place of that of the join. */
  update(change: { name?: string; media?: MediaState; hand?: boolean; token?: string }): Promise<Settled>;
  /**
   * Sends this stream's tracks from now on and tells the others which kinds are on. Call it after every change: another stream, such as
   * a screen in place of the camera, a track added, removed, stopped, enabled or disabled. Needs no renegotiation.
   * `told` is what the others are told where the tracks do not say it: that the picture is a screen, or that a mixed track has no voice in it.
   */
  setMedia(media: MediaStream | null, told?: MediaState): void;
  /** Tries again with a peer whose link is `failed`. */
  retry(peer: PeerId): void;
  /** This device has another network: looks for new paths now instead of when the old ones are found dead. */
  networkChanged(): void;
  /** Finds out now whether the connection to the server is alive, or tries at once to get it back. */
  checkConnection(): void;
  /** With `mayReturn` the seat is kept for some seconds, for a page that may be loaded again. */
  leave(mayReturn?: boolean): void;

  // What hosts decide; anyone else is refused with `not-allowed`.
  admit(peer: PeerId): Promise<Settled>;
  deny(peer: PeerId): Promise<Settled>;
  /** Who gets in from now on. */
  lock(access: Access): Promise<Settled>;
  /** What newcomers have to know (1 to 256 characters); null = nothing. */
  setPasscode(passcode: string | null): Promise<Settled>;
  setRole(peer: PeerId, role: Role): Promise<Settled>;
  /** With `ban` it may not come back; with `network` besides nobody from its network, for an hour. */
  kick(peer: PeerId, ban?: boolean, network?: boolean): Promise<Settled>;
  requestMute(peer: PeerId, kind: MediaKind): Promise<Settled>;
  /** Ends the room for everyone. */
  end(): Promise<Settled>;
}

export type RoomEvents = {
  state: ConnectionState;
  /** One's own role, who gets in, or who waits is another now. */
  'room-state': RoomState;
  'peer-joined': RemotePeer;
  'peer-updated': RemotePeer;
  'peer-left': { peer: RemotePeer; reason: LeaveReason };
  chat: Chat;
  reaction: { from: PeerId; text: string };
  /** How good the path to a peer is, every few seconds; `peer-updated` tells only of another level. */
  quality: { peer: PeerId; quality: Quality };
  /** A host asks that this be turned off. */
  'mute-request': { from: PeerId; kind: MediaKind };
  /** Something that was sent is refused for good; the connection goes on. */
  refused: { code: ErrorCode; message: string };
  /** A failure that did not end the call, for logging; without `peer` the server caused it. */
  warning: { peer?: PeerId; error: unknown };
};

/**
 * `connecting`: never joined so far. `waiting`: a host has to open; `host`: whether one is there. `reconnecting`: the room may still know us;
 * media goes on. `over`: the end; `code` says why.
 */
export type ConnectionState =
  | { is: 'connecting'; attempt: number; because?: ErrorCode }
  | { is: 'waiting'; host: boolean }
  | { is: 'joined' }
  | { is: 'reconnecting'; attempt: number; because?: ErrorCode }
  | { is: 'closed'; code: ErrorCode };

/** A peer as it is now: a value, replaced as a whole when anything changes. */
export type RemotePeer = Readonly<{
  id: PeerId;
  name?: string | undefined;
  role: Role;
  /** What it says that it sends; the tracks themselves tell the truth. */
  media: MediaState;
  /** Whether its hand is raised. */
  hand: boolean;
  /** Its connection to the server is lost; media goes on. */
  away: boolean;
  connectionState: LinkState;
  /** For a video element's `srcObject`; another object after a fresh connection. */
  stream: MediaStream;
  /** Undefined for the first seconds. */
  quality?: Quality | undefined;
}>;

/** `connecting`: not connected so far. `reconnecting`: was, and tries again. `failed`: gave up; retry() tries once more. */
export type LinkState = 'connecting' | 'connected' | 'reconnecting' | 'failed' | 'closed';

export type Level = 'good' | 'fair' | 'poor';
/** As measured over the last few seconds. */
export type Quality = Readonly<{
  level: Level;
  /** Round trip, in milliseconds; undefined where the browser does not say. */
  rtt: number | undefined;
  /** Shares of packets that were lost, 0 to 1: on the way here, and on the way there as the peer reports it. */
  lossIn: number;
  lossOut: number;
  /** Bits per second. */
  bitrateIn: number;
  bitrateOut: number;
  /** What the browser believes could be sent, in bits per second; undefined where it does not say. */
  available: number | undefined;
  /** Whether the path goes through a TURN server, of either side. */
  relayed: boolean;
}>;

/** How one stands in the room. */
export type RoomState = Readonly<{
  self: { id: PeerId; name?: string | undefined; role: Role; media: MediaState; hand: boolean };
  /** `passcode`: whether newcomers need one. */
  room: { access: Access; passcode: boolean };
  /** Whom a host may admit; empty for guests. */
  waiting: { id: PeerId; name?: string | undefined; away: boolean }[];
}>;

/** `at`: the server's clock, milliseconds since 1970. `to` is there when the text is for us alone. */
export type Chat = { from: PeerId; text: string; at: number; to?: PeerId | undefined };

/** How a message ended: the room has it, or it was refused for good. */
export type Settled = { accepted: true } | { accepted: false; code: ErrorCode };

export type PeerId = string;
export type Role = 'host' | 'guest';
/** Who gets in: everyone, who a host admits, or nobody more. */
export type Access = 'open' | 'knock' | 'locked';
export type MediaKind = 'audio' | 'video' | 'screen';
export type MediaState = { audio: boolean; video: boolean; screen?: boolean | undefined };
export type LeaveReason = 'left' | 'timeout' | 'error' | 'kicked';
export type Transport = 'websocket' | 'sse' | 'poll';
/** The codes of the protocol, such as `room-full`; a later server may have more. */
export type ErrorCode = string;

export type FileOptions = {
  /** Bytes a file may have, on the way out and in; 100 MiB unless told. */
  limit?: number;
};

export interface Files {
  /** A peer offers a file; accept() or decline() it. @returns what stops listening */
  on(name: 'file', listener: (file: Incoming) => void): () => void;
  /** A peer that is not here has `left`. @throws RangeError when it is larger than the limit */
  offer(peer: PeerId, file: File): Outgoing;
  /** Ends every transfer; a room that is over does so by itself. */
  close(): void;
}

export interface Transfer {
  readonly peer: PeerId;
  readonly name: string;
  /** Bytes in all, and of them those that have arrived and were found whole. */
  readonly size: number;
  readonly progress: number;
  /** Of what is received, one that runs nothing where it is opened; `application/octet-stream` for all others, whatever the sender says. */
  readonly type: string;
  readonly state: TransferState;
  /** @returns what stops listening */
  on(name: 'state', listener: (state: TransferState) => void): () => void;
  on(name: 'progress', listener: (bytes: number) => void): () => void;
}

export interface Incoming extends Transfer {
  accept(): void;
  /** Also in the middle of it. */
  decline(): void;
}

export interface Outgoing extends Transfer {
  cancel(): void;
}

/** `offered`: the receiver has not decided. `paused`: the connection was lost. `done` has the file where it was received. */
export type TransferState =
  | { is: 'offered' }
  | { is: 'running' }
  | { is: 'paused' }
  | { is: 'done'; file?: File }
  | { is: 'closed'; reason: TransferEnd };
/** `left`: the peer is gone, or the room. `damaged`: what came is not what was sent. */
export type TransferEnd = 'declined' | 'cancelled' | 'too-large' | 'damaged' | 'left';
