/** One call as the page shows it: the room's state, its people, what was written, what was announced, what was asked. */
import { Emitter } from '../../events.ts';
import {
  type Access,
  type Chat,
  type ConnectionState,
  type ErrorCode,
  join,
  type RemotePeer,
  type Room,
  type RoomState,
  type Settled,
} from '../../room.ts';
import { type ChatLine, ChatLog, ownLine, receivedLine } from '../chat/chat-log.ts';
import { FileTransfers, limit } from '../chat/file-transfers.ts';
import type { Devices, Kind } from '../devices/devices.ts';
import { refusalOf } from '../i18n/error-messages.ts';
import { sizeOf } from '../i18n/format.ts';
import { words } from '../i18n/i18n.ts';
import { icePolicyOf } from '../route.ts';
import { keepSeat, recallToken, rememberRoom, type Seat } from '../storage.ts';
import { type Toast, Toasts } from '../ui/toasts.ts';
import { knocksSince, leaveAnnouncement, nameOf, peerAnnouncement, roomStateAnnouncements } from './announcements.ts';
import { LocalParticipant } from './local-participant.ts';
import { Reactions } from './reactions.ts';

/** What somebody who opens a room wants of it; '' = no passcode. */
export type CallOptions = { access: Access; passcode: string };
export type ChatEntry = {
  room: string;
  name: string;
  devices: Devices;
  passcode?: string | undefined;
  /** The seat that this page had before it was loaded again. */
  seat?: Seat | undefined;
  wishes?: CallOptions | undefined;
};
export type Panel = 'none' | 'chat' | 'people';

/** Milliseconds that hardly anybody sees, and in which an offer is made. */
const calm = 100;
/** Milliseconds after which whoever has clicked must see that something happens. */
const patience = 250;

export class CallModel {
  readonly name: string;
  readonly devices: Devices;
  readonly own: LocalParticipant;
  readonly shares: FileTransfers;
  /** When there is something to show of it; to draw a call before that would make the others wait. */
  readonly begun: Promise<void>;
  readonly reactions = new Reactions(() => this.#changed());
  #room: Room;
  #entry: ChatEntry;
  #emitter = new Emitter<{ changed: undefined; over: ErrorCode }>();
  #gone = new AbortController();
  #everJoined = false;
  /** From when on who appears has just come. */
  #entered = false;
  #atDoor = false;
  #roomState: RoomState | undefined;
  #notices = new Toasts(() => this.#changedSoon());
  #lines = new ChatLog();
  #panel: Panel = 'none';
  #unread = 0;
  #soon: ReturnType<typeof setTimeout> | undefined;
  /** Who had a hand raised, and who shared a screen, when that was last looked at. */
  #known = new Map<string, Pick<RemotePeer, 'hand' | 'media'>>();

  constructor(entry: ChatEntry) {
    const { room, name, devices, passcode, seat } = entry;
    this.#entry = entry;
    this.name = name;
    this.devices = devices;
    // Before the library listens to the same, and leaves.
    addEventListener('pagehide', () => this.#keepSeat(), { signal: this.#gone.signal });
    const token = recallToken(room);
    this.#room = join({
      room,
      name,
      media: devices.stream,
      iceTransportPolicy: icePolicyOf(location.href),
      session: seat?.session,
      ...(passcode === undefined ? {} : { passcode }),
      ...(token === undefined ? {} : { token }),
    });
    const nameOfPeer = (peer: string) => nameOf(this.peers.find(({ id }) => id === peer) ?? {});
    this.shares = new FileTransfers(
      this.#room,
      nameOfPeer,
      () => this.#changed(),
      ({ who, file }) => this.#unseen(words.files.offers(who, file.name)),
    );
    this.own = new LocalParticipant({
      room: this.#room,
      devices,
      say: (text) => this.announce(text),
      changed: () => this.#changed(),
    });
    this.#listen();
    this.begun = new Promise((resolve) => {
      this.onChange(resolve);
      setTimeout(resolve, patience);
    });
  }

  get state(): ConnectionState {
    return this.#room.state;
  }

  /** Whether there was a conversation at all; until then, problems are about joining. */
  get everJoined(): boolean {
    return this.#everJoined;
  }

  /** Whether a host has to open first; stays so while the connection is lost. */
  get atDoor(): boolean {
    return this.#atDoor;
  }

  /** Undefined until the room was entered. */
  get roomState(): RoomState | undefined {
    return this.#roomState;
  }

  get isHost(): boolean {
    return this.#roomState?.self.role === 'host';
  }

  get peers(): RemotePeer[] {
    return this.#room.peers;
  }

  get lines(): readonly ChatLine[] {
    return this.#lines.all;
  }

  get notices(): readonly Toast[] {
    return this.#notices.shown;
  }

  get unread(): number {
    return this.#unread;
  }

  get panel(): Panel {
    return this.#panel;
  }

  onChange(listener: () => void): () => void {
    return this.#emitter.on('changed', listener);
  }

  /** Calls back once, when the call has ended, whoever ended it; at once if it has. */
  onOver(listener: (code: ErrorCode) => void): () => void {
    if (this.state.is === 'closed') listener(this.state.code);
    return this.#emitter.on('over', listener);
  }

  show(panel: Panel): void {
    this.#panel = panel;
    if (panel === 'chat') this.#unread = 0;
    this.#changed();
  }

  async say(text: string): Promise<void> {
    const key = this.#lines.add(ownLine(text));
    this.#changed();
    const { accepted } = await this.#room.chat(text);
    this.#lines.settle(key, accepted ? 'done' : 'refused');
    this.#changed();
  }

  /** Offers files to everyone who is here. */
  send(files: readonly File[]): void {
    for (const file of files) {
      if (file.size > limit) this.announce(words.files.tooLarge(file.name, sizeOf(limit)));
      else for (const peer of this.peers) this.shares.offer({ id: peer.id, name: nameOf(peer) }, file);
    }
    if (this.peers.length === 0 && files.length > 0) this.announce(words.files.nobody);
  }

  react(text: string): void {
    if (this.#room.react(text)) this.reactions.show('self', text);
  }

  announce(text: string): void {
    this.#notices.say(text);
  }

  retry(peer: string): void {
    this.#room.retry(peer);
  }

  /** How loud a peer is now, 0 to 1. */
  volume(peer: string): number {
    return this.#room.volume(peer);
  }

  /** Asks the room for something that hosts decide; says `done` if it was done, else why not. */
  async decide(deed: (room: Room) => Promise<Settled>, done?: string): Promise<void> {
    const settled = await deed(this.#room);
    if (settled.accepted && done) this.announce(done);
    if (!settled.accepted && settled.code !== 'room-ended') this.announce(refusalOf(settled.code));
  }

  leave(): void {
    this.#room.leave();
  }

  #listen(): void {
    this.#room.on('state', (state) => this.#turned(state));
    this.#room.on('joined', ({ recovered, self, peers, chat = [] }) => {
      this.#entered = true;
      if (recovered) return;
      if (peers.length > 0) this.announce(words.call.here(peers.length));
      this.own.setHand(self.hand);
      this.#lines.addBefore(chat, self.id);
      if (peers.length === 0 && self.role === 'host') this.#wish();
    });
    this.#room.on('room-state', (roomState) => this.#setRoomState(roomState));
    this.#room.on('peer-joined', (peer) => this.#appeared(peer));
    this.#room.on('peer-updated', (peer) => this.#peerChanged(peer));
    this.#room.on('peer-left', ({ peer, reason }) => {
      this.#known.delete(peer.id);
      this.announce(leaveAnnouncement(peer, reason));
    });
    this.#room.on('quality', () => this.#panel === 'people' && this.#changed());
    this.#room.on('reaction', ({ from, text }) => this.reactions.show(from, text));
    this.#room.on('chat', (chat) => this.#heard(chat));
  }

  #turned(state: ConnectionState): void {
    if (state.is !== 'joined') this.#entered = false;
    if (state.is === 'waiting') this.#atDoor = true;
    if (state.is === 'joined') {
      if (this.#atDoor) this.announce(words.call.letIn);
      else if (this.#entry.seat && !this.#everJoined) this.announce(words.call.back);
      this.#atDoor = false;
      this.#everJoined = true;
      rememberRoom(this.#entry.room);
    }
    if (state.is === 'closed') {
      this.#gone.abort();
      this.own.close();
      this.shares.close();
      this.#emitter.emit('over', state.code);
    }
    this.#changedSoon();
  }

  #keepSeat(): void {
    const { session } = this.#room;
    if (session === undefined) return;
    const isOn = (kind: Kind) => this.devices.state(kind).is === 'on';
    const { room } = this.#entry;
    keepSeat({ room, session, name: this.name, camera: isOn('camera'), microphone: isOn('microphone') });
  }

  #wish(): void {
    const { access, passcode } = this.#entry.wishes ?? { access: 'open', passcode: '' };
    if (access !== 'open') void this.decide((room) => room.lock(access));
    if (passcode !== '') void this.decide((room) => room.setPasscode(passcode));
  }

  #setRoomState(roomState: RoomState): void {
    const before = this.#roomState;
    this.#roomState = roomState;
    for (const text of knocksSince(before, roomState)) this.#notices.say(text, true);
    for (const text of roomStateAnnouncements(before, roomState)) this.announce(text);
    this.#changedSoon();
  }

  #appeared(peer: RemotePeer): void {
    this.#known.set(peer.id, peer);
    if (this.#entered) this.announce(words.call.joined(nameOf(peer)));
    this.#changedSoon();
  }

  #peerChanged(peer: RemotePeer): void {
    for (const text of peerAnnouncement(this.#known.get(peer.id), peer)) this.announce(text);
    this.#known.set(peer.id, peer);
    this.#changedSoon();
  }

  #heard(chat: Chat): void {
    const line = receivedLine(chat, nameOf(this.peers.find(({ id }) => id === chat.from) ?? {}));
    this.#lines.add(line);
    this.#unseen(words.chat.said(line.name, line.text));
  }

  /** Counts and says what came into the chat, unless that is open. */
  #unseen(text: string): void {
    if (this.#panel !== 'chat') {
      this.#unread += 1;
      this.announce(text);
    }
    this.#changed();
  }

  #changed(): void {
    clearTimeout(this.#soon);
    this.#soon = undefined;
    this.#emitter.emit('changed', undefined);
  }

  /** While the way to another is sought much changes at once: drawing each time would make that wait. */
  #changedSoon(): void {
    this.#soon ??= setTimeout(() => this.#changed(), calm);
  }
}
