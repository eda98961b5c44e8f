/** The public entry of the browser library: join a room, get a Room. */
import type { Access, Joined, MediaKind, MediaState, PeerId, Role } from '../protocol/messages.ts';
import { Bucket, prices } from './allowance.ts';
import type { Channel } from './channel.ts';
import type { Clock } from './clock.ts';
import { Connection, type ConnectionEvents, type ConnectionState } from './connection.ts';
import { Emitter, type Source } from './events.ts';
import type { LinkTiming } from './link.ts';
import { Mesh, type MeshEvents, type RemotePeer } from './mesh.ts';
import type { Settled } from './outbox.ts';
import { watchPageLifecycle } from './page-lifecycle.ts';
import { encodeReaction, reactionOf } from './reactions.ts';
import { after, type RoomState, roomStateOf } from './room-state.ts';
import { type Rtc, tracksOf } from './rtc.ts';
import type { Timing } from './timeouts.ts';
import type { OpenSocket, Transport } from './transport.ts';

export type { ErrorCode } from '../protocol/errors.ts';
export type { Access, MediaKind, MediaState, PeerId, Role } from '../protocol/messages.ts';
export type { ConnectionState } from './connection.ts';
export { type FileOptions, type Files, files } from './files.ts';
export type { Incoming } from './incoming.ts';
export type { LinkState } from './link.ts';
export type { RemotePeer } from './mesh.ts';
export type { Settled } from './outbox.ts';
export type { Outgoing } from './outgoing.ts';
export type { Level, Quality } from './quality.ts';
export type { RoomState } from './room-state.ts';
export type { Transfer, TransferEnd, TransferState } from './transfer.ts';
export type { Transport } from './transport.ts';

export type JoinOptions = {
  /** Where Genkan is served; the page's base URL unless told. */
  base?: string | URL;
  room: string;
  name?: string;
  /** What to send: the first audio and the first video track. null = only receive. */
  media?: MediaStream | null;
  token?: string;
  passcode?: string;
  /** `Room.session` of before, when a page was loaded again: the same seat and role. */
  session?: string | undefined;
  /** `relay`: only through a TURN server, so that the others do not learn this device's addresses. `all` unless told. */
  iceTransportPolicy?: RTCIceTransportPolicy;
  timing?: Partial<Timing & LinkTiming & { statsInterval: number }>;
  /** In place of the browser's own; for tests. */
  inPlaceOf?: { open?: OpenSocket; rtc?: Rtc; clock?: Clock };
};

/** `at`: the server's clock, milliseconds since 1970. `to` is there when the text is for us alone. */
export type Chat = { from: PeerId; text: string; at: number; to?: PeerId | undefined };

export type RoomEvents = Omit<MeshEvents, 'warning'> & {
  /** A failure that did not end the call, for logging; without `peer` the server caused it. */
  warning: { peer?: PeerId; error: unknown };
  state: ConnectionState;
  joined: Joined;
  chat: Chat;
  reaction: { from: PeerId; text: string };
  /** One's own role, who gets in, or who waits is another now. */
  'room-state': RoomState;
  /** A host asks that this be turned off. */
  'mute-request': { from: PeerId; kind: MediaKind };
  refused: ConnectionEvents['refused'];
};

/**
 * Enters a room and stays in it until leave(), the end of the page, or an end that the server decides
 * (`state` is then `over` with an error code). Lost connections come back by themselves.
 */
export const join = (options: JoinOptions): Room => new Room(options);

export class Room implements Source<RoomEvents> {
  #connection: Connection;
  #mesh: Mesh;
  #emitter = new Emitter<RoomEvents>();
  #media: MediaState;
  #roomState: RoomState | undefined;
  #reactions = new Bucket(prices.reaction);
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
      join: { media: this.#media, ...given({ name, token, passcode }) },
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

  /** What carries the conversation now. */
  get transport(): Transport | undefined {
    return this.#connection.transport;
  }

  /** Undefined until the room was entered. */
  get roomState(): RoomState | undefined {
    return this.#roomState;
  }

  /** Takes this seat again, for a page that is loaded again; a secret. */
  get session(): string | undefined {
    return this.#connection.session;
  }

  /** The others, in the order in which they came. */
  get peers(): RemotePeer[] {
    return this.#mesh.peers;
  }

  on<Name extends keyof RoomEvents>(name: Name, listener: (value: RoomEvents[Name]) => void): () => void {
    return this.#emitter.on(name, listener);
  }

  /**
   * Says `text` (1 to 4000 characters) to everyone else, or to one of them; settles when the room has it, or not.
   * @throws RangeError when it is empty or too long; so does every method that says something to the room
   */
  chat(text: string, to?: PeerId): Promise<Settled> {
    return this.#connection.chat(text, to);
  }

  /**
   * Shows everyone a few characters (1 to 64), past the server; it is for the moment, and kept nowhere.
   * @returns false when it was too soon after others
   * @throws RangeError when it is too long, or empty
   */
  react(text: string): boolean {
    const data = encodeReaction(text);
    if (!this.#reactions.take()) return false;
    for (const { id } of this.peers) this.channel(id)?.send(data);
    return true;
  }

  /** The way to a peer's page past the server, for what builds on it; undefined while there is none. */
  channel(peer: PeerId): Channel | undefined {
    return this.#mesh.link(peer)?.channel;
  }

  /**
   * How loud a peer is whose stream is played: 0, silence, to 1, on a linear scale. Costs next to nothing: it is the `audioLevel`
   * of the last packet that was played (https://www.w3.org/TR/webrtc/#dom-rtcrtpcontributingsource-audiolevel).
   */
  volume(peer: PeerId): number {
    return this.#mesh.link(peer)?.volume ?? 0;
  }

  /** Tells the others a new name (1 to 64 characters), media state or raised hand; a fresh token takes the place of that of the join. */
  update(change: { name?: string; media?: MediaState; hand?: boolean; token?: string }): Promise<Settled> {
    return this.#connection.update(change);
  }

  /**
   * Sends this stream's tracks from now on and tells the others which kinds are on. Call it after every change: another
   * stream, a track added, removed, stopped, enabled or disabled. Needs no renegotiation. `told` is what the others are told
   * where the tracks do not say it: that the picture is a screen, or that a mixed track has no voice in it.
   */
  setMedia(media: MediaStream | null, told: MediaState = mediaStateOf(media)): void {
    this.#mesh.setTracks(tracksOf(media));
    const { audio, video, screen } = this.#media;
    if (told.audio === audio && told.video === video && told.screen === screen) return;
    this.#media = told;
    void this.update({ media: told });
  }

  /** Tries again with a peer whose link is `failed`. */
  retry(peer: PeerId): void {
    this.#mesh.link(peer)?.retry();
  }

  /** This device has another network: looks for new paths now instead of when the old ones are found dead. */
  networkChanged(): void {
    this.#mesh.networkChanged();
    this.checkConnection();
  }

  /** Finds out now whether the connection is alive, or tries at once to get it back. */
  checkConnection(): void {
    this.#connection.checkConnection();
  }

  /** With `mayReturn` the seat is kept for some seconds, for a page that may be loaded again. */
  leave(mayReturn = false): void {
    this.#connection.leave(mayReturn);
  }

  // ── what hosts decide; anyone else is refused with `not-allowed` ──────────────────────────────────────────────────

  admit(peer: PeerId): Promise<Settled> {
    return this.#connection.decide({ type: 'admit', peer });
  }

  deny(peer: PeerId): Promise<Settled> {
    return this.#connection.decide({ type: 'deny', peer });
  }

  /** Who gets in from now on. */
  lock(access: Access): Promise<Settled> {
    return this.#connection.decide({ type: 'lock', access });
  }

  /** What newcomers have to know (1 to 256 characters); null = nothing. */
  setPasscode(passcode: string | null): Promise<Settled> {
    return this.#connection.decide({ type: 'passcode', passcode });
  }

  setRole(peer: PeerId, role: Role): Promise<Settled> {
    return this.#connection.decide({ type: 'role', peer, role });
  }

  /** With `ban` it may not come back; with `network` besides nobody from its network, for an hour. */
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
    const stand = (roomState: RoomState) => {
      if (roomState === this.#roomState) return;
      this.#roomState = roomState;
      emitter.emit('room-state', roomState);
    };
    this.#connection.on('joined', (joined) => {
      stand(roomStateOf(joined));
      emitter.emit('joined', joined);
    });
    this.#connection.on('refused', (refused) => emitter.emit('refused', refused));
    this.#connection.on('warning', (error) => emitter.emit('warning', { error }));
    this.#connection.on('event', (event) => {
      if (event.type === 'chat') emitter.emit('chat', event);
      if (event.type === 'mute-request') emitter.emit('mute-request', event);
      if (this.#roomState) stand(after(this.#roomState, event));
    });
    this.#connection.on('state', (state) => {
      if (state.is === 'closed') this.#close();
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

/** The room's WebSocket below `base`. */
const socketUrl = (base: string | URL, room: string): string => {
  const url = new URL(`rooms/${encodeURIComponent(room.normalize('NFC'))}/ws`, base);
  url.protocol = url.protocol.replace('http', 'ws');
  return url.href;
};

const given = <Fields extends Record<string, string | undefined>>(
  fields: Fields,
): { [Name in keyof Fields]?: string } =>
  Object.fromEntries(Object.entries(fields).filter(([, value]) => value)) as { [Name in keyof Fields]?: string };

const isOn = (track: MediaStreamTrack | null): boolean => track?.enabled === true && track.readyState === 'live';

const mediaStateOf = (media: MediaStream | null): MediaState => {
  const { audio, video } = tracksOf(media);
  return { audio: isOn(audio), video: isOn(video) };
};
