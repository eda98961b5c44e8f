/** The view model of one call: room state, peers, chat, announcements and requests. */
import { Emitter } from '../../events.ts';
import {
  type Access,
  type ConnectionState,
  type ErrorCode,
  join,
  type RemotePeer,
  type Room,
  type RoomState,
  type Settled,
} from '../../room.ts';
import { ChatModel } from '../chat/chat-model.ts';
import { FileTransfers, limit } from '../chat/file-transfers.ts';
import type { DeviceKind, Devices } from '../devices/devices.ts';
import { refusalOf } from '../i18n/error-messages.ts';
import { sizeOf } from '../i18n/format.ts';
import { words } from '../i18n/i18n.ts';
import { icePolicyOf } from '../route.ts';
import { keepSeat, recallToken, rememberRoom, type Seat } from '../storage.ts';
import { type Toast, Toasts } from '../ui/toasts.ts';
import { AnnouncementLimit, announcementLimits } from './announcement-limit.ts';
import { knocksSince, leaveAnnouncement, nameOf, peerAnnouncement, roomStateAnnouncements } from './announcements.ts';
import { LocalParticipant } from './local-participant.ts';
import { Reactions } from './reactions.ts';

/** Options of a new room. `passcode`: '' = none. */
export type CallOptions = { access: Access; passcode: string };
export type JoinParameters = {
  room: string;
  name: string;
  devices: Devices;
  passcode?: string | undefined;
  /** The session of a room that this page has created. */
  session?: string | undefined;
  /** The seat of this page before a reload. */
  seat?: Seat | undefined;
  options?: CallOptions | undefined;
};
export type Panel = 'none' | 'chat' | 'people';

/** Milliseconds: hardly visible, but long enough to create an offer. */
const renderDelay = 100;
/** Milliseconds after a click until something must be shown. */
const firstRenderTimeout = 250;

export class CallModel {
  readonly name: string;
  readonly devices: Devices;
  readonly local: LocalParticipant;
  readonly chat: ChatModel;
  readonly transfers: FileTransfers;
  /** Resolves when there is something to show; rendering the call earlier would delay its connections. */
  readonly ready: Promise<void>;
  readonly reactions = new Reactions(() => this.#changedSoon());
  #room: Room;
  #entry: JoinParameters;
  #emitter = new Emitter<{ changed: undefined; over: ErrorCode }>();
  #closed = new AbortController();
  #everJoined = false;
  /** Whether peers that appear are new: only after `joined`. */
  #announceJoins = false;
  #awaitingAdmission = false;
  #roomState: RoomState | undefined;
  #toasts = new Toasts(() => this.#changedSoon());
  #limit = new AnnouncementLimit();
  /** By peer, for changes that are announced later. */
  #timers: Record<string, ReturnType<typeof setTimeout>> = {};
  #panel: Panel = 'none';
  #renderTimer: ReturnType<typeof setTimeout> | undefined;
  /** Last announced name, hand and media of each peer. */
  #known = new Map<string, Pick<RemotePeer, 'name' | 'hand' | 'media'>>();

  constructor(entry: JoinParameters) {
    const { room, name, devices, passcode, session, seat } = entry;
    this.#entry = entry;
    this.name = name;
    this.devices = devices;
    // Must run before the library's own listener, which leaves the room.
    addEventListener('pagehide', () => this.#keepSeat(), { signal: this.#closed.signal });
    const token = recallToken(room);
    this.#room = join({
      room,
      name,
      media: devices.stream,
      iceTransportPolicy: icePolicyOf(location.href),
      session: seat?.session ?? session,
      ...(passcode === undefined ? {} : { passcode }),
      ...(token === undefined ? {} : { token }),
    });
    const nameOfPeer = (peer: string) => nameOf(this.peers.find(({ id }) => id === peer) ?? {});
    this.chat = new ChatModel({
      room: this.#room,
      nameOfPeer,
      isOpen: () => this.#panel === 'chat',
      announce: (text, from) => this.#limit.take('text', from) && this.announce(text),
      changed: () => this.#changedSoon(),
    });
    this.transfers = new FileTransfers(
      this.#room,
      nameOfPeer,
      () => this.#changedSoon(),
      ({ peerName, file }) => this.chat.notify(words.files.offers(peerName, file.name), file.peer),
    );
    this.local = new LocalParticipant({
      room: this.#room,
      devices,
      announce: (text) => this.announce(text),
      changed: () => this.#changedSoon(),
    });
    this.#listen();
    this.ready = new Promise((resolve) => {
      this.onChange(resolve);
      setTimeout(resolve, firstRenderTimeout);
    });
  }

  get state(): ConnectionState {
    return this.#room.state;
  }

  /** Whether the room was joined at all; until then, problems are about joining. */
  get everJoined(): boolean {
    return this.#everJoined;
  }

  /** Whether a host has to admit this guest; unchanged while the connection is lost. */
  get awaitingAdmission(): boolean {
    return this.#awaitingAdmission;
  }

  /** Undefined until joined. */
  get roomState(): RoomState | undefined {
    return this.#roomState;
  }

  get isHost(): boolean {
    return this.#roomState?.self.role === 'host';
  }

  get peers(): RemotePeer[] {
    return this.#room.peers;
  }

  get toasts(): readonly Toast[] {
    return this.#toasts.shown;
  }

  get panel(): Panel {
    return this.#panel;
  }

  onChange(listener: () => void): () => void {
    return this.#emitter.on('changed', listener);
  }

  /** Calls `listener` once, when the call ends for any reason; at once if it has ended. */
  onOver(listener: (code: ErrorCode) => void): () => void {
    if (this.state.state === 'closed') listener(this.state.code);
    return this.#emitter.on('over', listener);
  }

  show(panel: Panel): void {
    this.#panel = panel;
    if (panel === 'chat') this.chat.markRead();
    this.#changed();
  }

  /** Offers files to every peer in the room. */
  sendFiles(files: readonly File[]): void {
    for (const file of files) {
      if (file.size > limit) this.announce(words.files.tooLarge(file.name, sizeOf(limit)));
      else for (const peer of this.peers) this.transfers.offer({ id: peer.id, name: nameOf(peer) }, file);
    }
    if (this.peers.length === 0 && files.length > 0) this.announce(words.files.nobody);
  }

  react(text: string): void {
    if (this.#room.react(text)) this.reactions.show('self', text);
  }

  announce(text: string): void {
    this.#toasts.show(text);
  }

  retry(peer: string): void {
    this.#room.retry(peer);
  }

  /** A peer's current volume, 0 to 1. */
  volume(peer: string): number {
    return this.#room.volume(peer);
  }

  /** Performs a host's action; announces `done` on success, else the reason for the refusal. */
  async decide(action: (room: Room) => Promise<Settled>, done?: string): Promise<void> {
    const settled = await action(this.#room);
    if (settled.accepted && done) this.announce(done);
    if (!settled.accepted && settled.code !== 'room-ended') this.announce(refusalOf(settled.code));
  }

  leave(): void {
    this.#room.leave();
  }

  #listen(): void {
    this.#room.on('state', (state) => this.#stateChanged(state));
    this.#room.on('joined', ({ recovered, self, peers, chat = [] }) => {
      this.#announceJoins = true;
      if (recovered) return;
      if (peers.length > 0) this.announce(words.call.here(peers.length));
      this.local.setHand(self.hand);
      this.chat.addHistory(chat, self.id);
      this.#applyOptions();
    });
    this.#room.on('room-state', (roomState) => this.#setRoomState(roomState));
    this.#room.on('peer-joined', (peer) => this.#peerAppeared(peer));
    this.#room.on('peer-updated', (peer) => this.#peerChanged(peer));
    this.#room.on('peer-left', ({ peer, reason }) => {
      this.#known.delete(peer.id);
      this.#limit.forget(peer.id);
      if (this.#limit.takePresence()) this.announce(leaveAnnouncement(peer, reason));
    });
    this.#room.on('quality', () => this.#panel === 'people' && this.#changed());
    this.#room.on('reaction', ({ from, text }) => this.reactions.show(from, text));
  }

  #stateChanged(state: ConnectionState): void {
    if (state.state !== 'joined') this.#announceJoins = false;
    if (state.state === 'waiting') this.#awaitingAdmission = true;
    if (state.state === 'joined') {
      if (this.#awaitingAdmission) this.announce(words.call.letIn);
      else if (this.#entry.seat && !this.#everJoined) this.announce(words.call.back);
      this.#awaitingAdmission = false;
      this.#everJoined = true;
      rememberRoom(this.#entry.room);
    }
    if (state.state === 'closed') {
      this.#closed.abort();
      this.local.close();
      this.transfers.close();
      this.#emitter.emit('over', state.code);
    }
    this.#changedSoon();
  }

  #keepSeat(): void {
    const { session } = this.#room;
    if (session === undefined) return;
    const isOn = (kind: DeviceKind) => this.devices.state(kind).state === 'on';
    const { room } = this.#entry;
    keepSeat({ room, session, name: this.name, camera: isOn('camera'), microphone: isOn('microphone') });
  }

  /** Applies the options of a new room that it does not have: it could not be created, or was released before this page joined. */
  #applyOptions(): void {
    const { access, passcode } = this.#entry.options ?? { access: 'open', passcode: '' };
    // Only once: later, hosts may have changed them.
    this.#entry = { ...this.#entry, options: undefined };
    const has = this.#roomState?.room;
    const isMissing = {
      access: access !== 'open' && has?.access !== access,
      passcode: passcode !== '' && !has?.passcode,
    };
    if (!isMissing.access && !isMissing.passcode) return;
    if (!this.isHost) return this.announce(words.call.optionsLost);
    if (isMissing.access) void this.decide((room) => room.lock(access));
    if (isMissing.passcode) void this.decide((room) => room.setPasscode(passcode));
  }

  #setRoomState(roomState: RoomState): void {
    const before = this.#roomState;
    this.#roomState = roomState;
    for (const text of knocksSince(before, roomState)) if (this.#limit.takePresence()) this.#toasts.show(text, true);
    for (const text of roomStateAnnouncements(before, roomState)) this.announce(text);
    this.#changedSoon();
  }

  #peerAppeared(peer: RemotePeer): void {
    this.#known.set(peer.id, peer);
    if (this.#announceJoins && this.#limit.takePresence()) this.announce(words.call.joined(nameOf(peer)));
    this.#changedSoon();
  }

  #peerChanged(peer: RemotePeer): void {
    this.#changedSoon();
    const texts = peerAnnouncement(this.#known.get(peer.id), peer);
    if (texts.length > 0 && !this.#limit.take('change', peer.id)) return this.#announceLater(peer.id);
    for (const text of texts) this.announce(text);
    this.#known.set(peer.id, peer);
  }

  /** Announces what is still true then: another name must not remain unannounced. */
  #announceLater(id: string): void {
    this.#timers[id] ??= setTimeout(() => {
      delete this.#timers[id];
      const peer = this.peers.find((each) => each.id === id);
      if (peer) this.#peerChanged(peer);
    }, announcementLimits.peer[1]);
  }

  #changed(): void {
    clearTimeout(this.#renderTimer);
    this.#renderTimer = undefined;
    this.#emitter.emit('changed', undefined);
  }

  /** Connecting causes many changes at once, and so does a peer that floods the chat; rendering each of them would freeze the page. */
  #changedSoon(): void {
    this.#renderTimer ??= setTimeout(() => this.#changed(), renderDelay);
  }
}
