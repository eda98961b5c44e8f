/** The public entry of the browser library: join a room, get a Room. */
import type { Joined, MediaState, PeerId } from '../protocol/messages.ts';
import type { Clock } from './clock.ts';
import { Connection, type ConnectionEvents, type ConnectionState } from './connection.ts';
import { Emitter, type Source } from './events.ts';
import type { LinkTiming } from './link.ts';
import { Mesh, type MeshEvents, type RemotePeer } from './mesh.ts';
import type { Settled } from './outbox.ts';
import { type Rtc, tracksOf } from './rtc.ts';
import type { Timing } from './timing.ts';
import type { OpenSocket, Transport } from './wire.ts';

export type { ErrorCode } from '../protocol/errors.ts';
export type { MediaState, PeerId } from '../protocol/messages.ts';
export type { ConnectionState } from './connection.ts';
export type { LinkState } from './link.ts';
export type { RemotePeer } from './mesh.ts';
export type { Settled } from './outbox.ts';
export type { Transport } from './wire.ts';

export type JoinOptions = {
  /** Where Genkan is served; the page's base URL unless told. */
  base?: string | URL;
  room: string;
  name?: string;
  /** What to send: the first audio and the first video track. null = only receive. */
  media?: MediaStream | null;
  token?: string;
  passcode?: string;
  /** `relay`: only through a TURN server, so that the others do not learn this device's addresses. `all` unless told. */
  iceTransportPolicy?: RTCIceTransportPolicy;
  timing?: Partial<Timing & LinkTiming>;
  /** In place of the browser's own; for tests. */
  inPlaceOf?: { open?: OpenSocket; rtc?: Rtc; clock?: Clock };
};

/** `at`: the server's clock, milliseconds since 1970. `to` is there when the text is for us alone. */
export type Chat = { from: PeerId; text: string; at: number; to?: PeerId | undefined };

export type RoomEvents = MeshEvents & {
  state: ConnectionState;
  joined: Joined;
  chat: Chat;
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
  #stopListening: () => void;

  constructor(options: JoinOptions) {
    const { base, room, name, media = null, token, passcode, iceTransportPolicy = 'all' } = options;
    const { timing = {}, inPlaceOf = {} } = options;
    this.#media = mediaStateOf(media);
    this.#connection = new Connection({
      ...inPlaceOf,
      timing,
      url: socketUrl(base ?? document.baseURI, room),
      join: { media: this.#media, ...given({ name, token, passcode }) },
    });
    this.#mesh = new Mesh(this.#connection, { ...inPlaceOf, timing, iceTransportPolicy, tracks: tracksOf(media) });
    this.#forward();
    this.#stopListening = listenToPage(this);
  }

  get state(): ConnectionState {
    return this.#connection.state;
  }

  /** What carries the conversation now. */
  get transport(): Transport | undefined {
    return this.#connection.transport;
  }

  /** The others, in the order in which they came. */
  get peers(): RemotePeer[] {
    return this.#mesh.peers;
  }

  on<Name extends keyof RoomEvents>(name: Name, listener: (value: RoomEvents[Name]) => void): () => void {
    return this.#emitter.on(name, listener);
  }

  /** Says `text` (at most 4000 characters) to everyone else, or to one of them; settles when the room has it, or not. */
  chat(text: string, to?: PeerId): Promise<Settled> {
    return this.#connection.chat(text, to);
  }

  /** Tells the others a new name or media state; a fresh token takes the place of that of the join. */
  update(change: { name?: string; media?: MediaState; token?: string }): Promise<Settled> {
    return this.#connection.update(change);
  }

  /**
   * Sends this stream's tracks from now on and tells the others which kinds are on. Call it after every change: another
   * stream, a track added, removed, stopped, enabled or disabled. Needs no renegotiation.
   */
  setMedia(media: MediaStream | null): void {
    this.#mesh.setTracks(tracksOf(media));
    const state = mediaStateOf(media);
    if (state.audio === this.#media.audio && state.video === this.#media.video) return;
    this.#media = state;
    void this.update({ media: state });
  }

  /** Tries again with a peer whose link is `failed`. */
  retry(peer: PeerId): void {
    this.#mesh.retry(peer);
  }

  /** Finds out now whether the connection is alive, or tries at once to get it back. */
  nudge(): void {
    this.#connection.nudge();
  }

  leave(): void {
    this.#connection.leave();
  }

  #forward(): void {
    const emit = this.#emitter.emit.bind(this.#emitter) as Emitter<RoomEvents>['emit'];
    this.#connection.on('joined', (joined) => emit('joined', joined));
    this.#connection.on('refused', (refused) => emit('refused', refused));
    this.#connection.on('event', (event) => {
      if (event.type === 'chat') emit('chat', event);
    });
    this.#connection.on('state', (state) => {
      if (state.is === 'over') this.#close();
      emit('state', state);
    });
    this.#mesh.on('peer-added', (peer) => emit('peer-added', peer));
    this.#mesh.on('peer-changed', (peer) => emit('peer-changed', peer));
    this.#mesh.on('peer-removed', (removed) => emit('peer-removed', removed));
    this.#mesh.on('trouble', (trouble) => emit('trouble', trouble));
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

/** A page that goes away says so; one that wakes up, or finds its network again, does not wait for a timer. */
const listenToPage = (room: Room): (() => void) => {
  if (typeof window === 'undefined') return () => {};
  const stop = new AbortController();
  const { signal } = stop;
  window.addEventListener('pagehide', () => room.leave(), { signal });
  window.addEventListener('online', () => room.nudge(), { signal });
  document.addEventListener('visibilitychange', () => document.visibilityState === 'visible' && room.nudge(), {
    signal,
  });
  return () => stop.abort();
};
