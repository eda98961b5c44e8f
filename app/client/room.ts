/** The public entry point of the browser library: `join` returns a Room. */
import type { Access, Joined, MediaKind, MediaState, PeerId, Role } from '../protocol/messages.ts';
import { ChatAllowance, rateLimits } from './allowance.ts';
import type { Channel } from './channel.ts';
import type { Clock } from './clock.ts';
import { Connection } from './connection.ts';
import { Emitter, type Source } from './events.ts';
import type { LinkTiming } from './link-watchdog.ts';
import { Mesh, type MeshEvents } from './mesh.ts';
import type { RemotePeer } from './mesh-peer.ts';
import type { Settled } from './outbox.ts';
import { watchPageLifecycle } from './page-lifecycle.ts';
import { encodeReaction, reactionOf } from './reactions.ts';
import { after, type RoomState, roomStateOf } from './room-state.ts';
import { type Rtc, tracksOf } from './rtc.ts';
import type { ConnectionEvents, ConnectionState } from './signaling.ts';
import type { Timing } from './timeouts.ts';
import { TokenBucket } from './token-bucket.ts';
import type { OpenSocket, Transport } from './transport.ts';

export type { ErrorCode } from '../protocol/errors.ts';
export type { Access, MediaKind, MediaState, PeerId, Role } from '../protocol/messages.ts';
export { type FileOptions, type Files, files } from './files.ts';
export type { Incoming } from './incoming.ts';
export type { LinkState } from './link.ts';
export type { RemotePeer } from './mesh-peer.ts';
export type { Settled } from './outbox.ts';
export type { Outgoing } from './outgoing.ts';
export type { Level, Quality } from './quality.ts';
export type { RoomState } from './room-state.ts';
export type { ConnectionState } from './signaling.ts';
export type { Transfer, TransferEnd, TransferState } from './transfer.ts';
export type { Transport } from './transport.ts';

export type JoinOptions = {
  /** URL where Genkan is served; default: the page's base URL. */
  base?: string | URL;
  room: string;
  name?: string;
  /** What to send: the first audio and the first video track. null: receive only. */
  media?: MediaStream | null;
  token?: string;
  passcode?: string;
  /** `Room.session` from before a page reload: resumes the same session and role. */
  session?: string | undefined;
  /** `relay`: connect only through a TURN server, so that peers do not learn this device's IP addresses. Default: `all`. */
  iceTransportPolicy?: RTCIceTransportPolicy;
  timing?: Partial<Timing & LinkTiming & { statsInterval: number }>;
  /** Replacements for browser APIs, for tests. */
  inPlaceOf?: { open?: OpenSocket; rtc?: Rtc; clock?: Clock };
};

/** `at`: server time, milliseconds since 1970. `to` is set if the message is private. */
export type Chat = { from: PeerId; text: string; at: number; to?: PeerId | undefined };

export type RoomEvents = Omit<MeshEvents, 'warning'> & {
  /** A failure that did not end the call, for logging. Without `peer` the server caused it. */
  warning: { peer?: PeerId; error: unknown };
  state: ConnectionState;
  joined: Joined;
  chat: Chat;
  reaction: { from: PeerId; text: string };
  /** The own role, access to the room, or the lobby changed. */
  'room-state': RoomState;
  /** A host asks you to turn this off. */
  'mute-request': { from: PeerId; kind: MediaKind };
  refused: ConnectionEvents['refused'];
};

/**
 * Joins a room and stays until leave(), the page unloads, or the server ends the session (`state` is then `closed` with an
 * error code). Reconnects automatically.
 */
export const join = (options: JoinOptions): Room => new Room(options);

export class Room implements Source<RoomEvents> {
  #connection: Connection;
  #mesh: Mesh;
  #emitter = new Emitter<RoomEvents>();
  #media: MediaState;
  #roomState: RoomState | undefined;
  #reactions = new TokenBucket(rateLimits.reaction);
  /** Of all senders, also those without a link. */
  #chatAllowance = new ChatAllowance();
  #stopListening: () => void;

  constructor(options: JoinOptions) {
    const { base, room, name, media = null, token, passcode, session, iceTransportPolicy = 'all' } = options;
    const { timing = {}, inPlaceOf = {} } = options;
    this.#media = mediaStateOf(media);
    this.#connection = new Connection({
      ...inPlaceOf,
      timing,
      session,
      url: socketUrl(base ?? document.baseURI, room),
      join: { media: this.#media, ...nonEmpty({ name, token, passcode }) },
    });
    this.#mesh = new Mesh(this.#connection, {
      ...inPlaceOf,
      emitter: this.#emitter,
      timing,
      iceTransportPolicy,
      tracks: tracksOf(media),
    });
    this.#forward();
    this.#stopListening = watchPageLifecycle(this);
  }

  get state(): ConnectionState {
    return this.#connection.state;
  }

  /** The current transport to the server. */
  get transport(): Transport | undefined {
    return this.#connection.transport;
  }

  /** Undefined until the room is joined. */
  get roomState(): RoomState | undefined {
    return this.#roomState;
  }

  /** Secret that resumes this session after a page reload. */
  get session(): string | undefined {
    return this.#connection.session;
  }

  /** The other peers, in the order in which they joined. */
  get peers(): RemotePeer[] {
    return this.#mesh.peers;
  }

  on<Name extends keyof RoomEvents>(name: Name, listener: (value: RoomEvents[Name]) => void): () => void {
    return this.#emitter.on(name, listener);
  }

  /**
   * Sends `text` (1 to 4000 characters) to everyone else, or to one peer. Resolves when the room has accepted or refused it.
   * @throws RangeError if it is empty or too long; so does every method that sends to the room
   */
  chat(text: string, to?: PeerId): Promise<Settled> {
    return this.#connection.chat(text, to);
  }

  /**
   * Sends a few characters (1 to 64) to everyone, peer to peer; they are stored nowhere.
   * @returns false if rate-limited
   * @throws RangeError if it is empty or too long
   */
  react(text: string): boolean {
    const data = encodeReaction(text);
    if (!this.#reactions.take()) return false;
    for (const { id } of this.peers) this.channel(id)?.send(data);
    return true;
  }

  /** The data channel to a peer; undefined while there is none. */
  channel(peer: PeerId): Channel | undefined {
    return this.#mesh.link(peer)?.channel;
  }

  /**
   * Playback level of a peer's stream, linear, 0 (silence) to 1. Cheap: it is the `audioLevel` of the last packet played
   * (https://www.w3.org/TR/webrtc/#dom-rtcrtpcontributingsource-audiolevel).
   */
  volume(peer: PeerId): number {
    return this.#mesh.link(peer)?.volume ?? 0;
  }

  /** Changes the name (1 to 64 characters), media state or raised hand that peers see; a new token replaces the one from the join. */
  update(change: { name?: string; media?: MediaState; hand?: boolean; token?: string }): Promise<Settled> {
    return this.#connection.update(change);
  }

  /**
   * Sends this stream's tracks from now on and tells peers which kinds are on. Call it after every change: another stream, or
   * a track added, removed, stopped, enabled or disabled. Needs no renegotiation. `mediaState` overrides what is derived from
   * the tracks: that the video is a screen, or that a mixed audio track contains no voice.
   */
  setMedia(media: MediaStream | null, mediaState: MediaState = mediaStateOf(media)): void {
    this.#mesh.setTracks(tracksOf(media));
    const { audio, video, screen } = this.#media;
    if (mediaState.audio === audio && mediaState.video === video && mediaState.screen === screen) return;
    this.#media = mediaState;
    void this.update({ media: mediaState });
  }

  /** Tries again to reach a peer whose `connectionState` is `failed`. */
  retry(peer: PeerId): void {
    this.#mesh.link(peer)?.retry();
  }

  /** This device changed networks: looks for new paths now instead of waiting until the old ones time out. */
  networkChanged(): void {
    this.#mesh.networkChanged();
    this.checkConnection();
  }

  /** Checks now whether the connection to the server is alive, or reconnects immediately. */
  checkConnection(): void {
    this.#connection.checkConnection();
  }

  /** With `mayReturn` the session is kept for some seconds, so that a reloaded page can resume it. */
  leave(mayReturn = false): void {
    this.#connection.leave(mayReturn);
  }

  // ── for hosts; anyone else is refused with `not-allowed` ──────────────────────────────────────────────────────────

  admit(peer: PeerId): Promise<Settled> {
    return this.#connection.decide({ type: 'admit', peer });
  }

  deny(peer: PeerId): Promise<Settled> {
    return this.#connection.decide({ type: 'deny', peer });
  }

  /** Who may join from now on. */
  lock(access: Access): Promise<Settled> {
    return this.#connection.decide({ type: 'lock', access });
  }

  /** Passcode required to join (1 to 256 characters); null: none. */
  setPasscode(passcode: string | null): Promise<Settled> {
    return this.#connection.decide({ type: 'passcode', passcode });
  }

  setRole(peer: PeerId, role: Role): Promise<Settled> {
    return this.#connection.decide({ type: 'role', peer, role });
  }

  /** `ban`: the peer may not rejoin. `network`: nor may anyone from its network, for an hour. */
  kick(peer: PeerId, ban = false, network = false): Promise<Settled> {
    return this.#connection.decide({ type: 'kick', peer, ban, network });
  }

  requestMute(peer: PeerId, kind: MediaKind): Promise<Settled> {
    return this.#connection.decide({ type: 'mute-request', peer, kind });
  }

  /** Ends the room for everyone. */
  end(): Promise<Settled> {
    return this.#connection.decide({ type: 'end' });
  }

  #forward(): void {
    const emitter = this.#emitter;
    const setRoomState = (roomState: RoomState) => {
      if (roomState === this.#roomState) return;
      this.#roomState = roomState;
      emitter.emit('room-state', roomState);
    };
    this.#connection.on('joined', (joined) => {
      setRoomState(roomStateOf(joined));
      emitter.emit('joined', joined);
    });
    this.#connection.on('refused', (refused) => emitter.emit('refused', refused));
    this.#connection.on('warning', (error) => emitter.emit('warning', { error }));
    this.#connection.on('event', (event) => {
      if (event.type === 'peer-joined') this.#chatAllowance.joined(event.peer.id);
      if (event.type === 'chat' && this.#chatAllowance.take(event.from, event.text.length)) emitter.emit('chat', event);
      if (event.type === 'mute-request') emitter.emit('mute-request', event);
      if (this.#roomState) setRoomState(after(this.#roomState, event));
    });
    this.#connection.on('state', (state) => {
      if (state.state === 'closed') this.#close();
      emitter.emit('state', state);
    });
    emitter.on('data', ({ from, data, allowance }) => {
      const text = reactionOf(data);
      if (text !== undefined && allowance.take('reaction')) emitter.emit('reaction', { from, text });
    });
  }

  #close(): void {
    this.#mesh.close();
    this.#stopListening();
  }
}

/** The URL of the room's WebSocket. */
const socketUrl = (base: string | URL, room: string): string => {
  const url = new URL(`rooms/${encodeURIComponent(room.normalize('NFC'))}/ws`, base);
  url.protocol = url.protocol.replace('http', 'ws');
  return url.href;
};

const nonEmpty = <Fields extends Record<string, string | undefined>>(
  fields: Fields,
): { [Name in keyof Fields]?: string } =>
  Object.fromEntries(Object.entries(fields).filter(([, value]) => value)) as { [Name in keyof Fields]?: string };

const isOn = (track: MediaStreamTrack | null): boolean => track?.enabled === true && track.readyState === 'live';

const mediaStateOf = (media: MediaStream | null): MediaState => {
  const { audio, video } = tracksOf(media);
  return { audio: isOn(audio), video: isOn(video) };
};
