/** One call as the page shows it: the room's state, its people, what was written, what was announced, what was asked. */
import { Emitter } from '../events.ts';
import {
  type Access,
  type Chat,
  type ConnectionState,
  type ErrorCode,
  join,
  type MediaKind,
  type RemotePeer,
  type Room,
  type Settled,
  type Standing,
} from '../genkan.ts';
import type { DeviceState, Devices, Kind } from './devices.ts';
import { heardLine, type Line, missing, ownLine } from './lines.ts';
import { keepSeat, recallToken, rememberRoom, type Seat } from './memory.ts';
import { type Notice, Notices } from './notices.ts';
import { icePolicyOf } from './route.ts';
import { Screen } from './screen.ts';
import { words } from './words.ts';

/** What somebody who opens a room wants of it; '' = no passcode. */
export type Wishes = { access: Access; passcode: string };
export type Entry = {
  room: string;
  name: string;
  devices: Devices;
  passcode?: string | undefined;
  /** The seat that this page had before it was loaded again. */
  seat?: Seat | undefined;
  wishes?: Wishes | undefined;
};
export type Panel = 'none' | 'chat' | 'people';
/** What a host asks to be turned off. */
export type Asked = { name: string; kind: MediaKind };

export class Conversation {
  readonly name: string;
  readonly devices: Devices;
  readonly screen = new Screen();
  #room: Room;
  #entry: Entry;
  #emitter = new Emitter<{ changed: undefined; over: ErrorCode }>();
  #gone = new AbortController();
  #everJoined = false;
  #atDoor = false;
  #standing: Standing | undefined;
  #notices = new Notices(() => this.#changed());
  #lines: readonly Line[] = [];
  #panel: Panel = 'none';
  #unread = 0;
  #keys = 0;
  #hand = false;
  #asked: Asked | undefined;
  /** Who had a hand raised, and who shared a screen, when that was last looked at. */
  #known = new Map<string, Pick<RemotePeer, 'hand' | 'media'>>();
  #shown: Record<Kind, DeviceState>;

  constructor(entry: Entry) {
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
    this.#shown = { camera: devices.state('camera'), microphone: devices.state('microphone') };
    this.#listen();
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
  get standing(): Standing | undefined {
    return this.#standing;
  }

  get isHost(): boolean {
    return this.#standing?.self.role === 'host';
  }

  get peers(): RemotePeer[] {
    return this.#room.peers;
  }

  get lines(): readonly Line[] {
    return this.#lines;
  }

  get notices(): readonly Notice[] {
    return this.#notices.shown;
  }

  get unread(): number {
    return this.#unread;
  }

  get panel(): Panel {
    return this.#panel;
  }

  get hand(): boolean {
    return this.#hand;
  }

  get asked(): Asked | undefined {
    return this.#asked;
  }

  onChange(listener: () => void): () => void {
    return this.#emitter.on('changed', listener);
  }

  /** Calls back once, when the call has ended, whoever ended it. */
  onOver(listener: (code: ErrorCode) => void): () => void {
    return this.#emitter.on('over', listener);
  }

  show(panel: Panel): void {
    this.#panel = panel;
    if (panel === 'chat') this.#unread = 0;
    this.#changed();
  }

  async say(text: string): Promise<void> {
    const key = this.#append(ownLine(text));
    const { accepted } = await this.#room.chat(text);
    this.#lines = this.#lines.map((line) =>
      line.key === key ? { ...line, delivery: accepted ? 'done' : 'refused' } : line,
    );
    this.#changed();
  }

  announce(text: string): void {
    this.#notices.say(text);
  }

  retry(peer: string): void {
    this.#room.retry(peer);
  }

  raiseHand(hand: boolean): void {
    this.#hand = hand;
    void this.#room.update({ hand });
    this.#changed();
  }

  async shareScreen(): Promise<void> {
    if (this.screen.stream) return this.screen.stop();
    await this.screen.start().catch(() => this.announce(words.screen.failed));
  }

  /** Does what a host asked for, or does not. */
  answer(comply: boolean): void {
    const kind = this.#asked?.kind;
    this.#asked = undefined;
    if (comply && kind === 'screen') this.screen.stop();
    if (comply && kind && kind !== 'screen') this.devices.turnOff(deviceOf[kind]);
    this.#changed();
  }

  /** Asks the room for something that hosts decide; says `done` if it was done, else why not. */
  async decide(deed: (room: Room) => Promise<Settled>, done?: string): Promise<void> {
    const settled = await deed(this.#room);
    if (settled.accepted && done) this.announce(done);
    if (!settled.accepted && settled.code !== 'room-ended') this.announce(words.refusal(settled.code));
  }

  leave(): void {
    this.#room.leave();
  }

  #listen(): void {
    const { devices, screen } = this;
    const stop = [
      devices.onChange(() => this.#devicesChanged()),
      devices.onReplaced((label) => this.announce(words.devices.replaced(label))),
      screen.onChange(() => this.#sendMedia()),
    ];
    this.#room.on('state', (state) => {
      if (state.is === 'over') for (const end of stop) end();
      this.#turned(state);
    });
    this.#room.on('joined', ({ recovered, self, peers, chat = [] }) => {
      if (recovered) return;
      this.#hand = self.hand;
      for (const line of missing(this.#lines, chat, self.id)) this.#append(line);
      if (peers.length === 0 && self.role === 'host') this.#wish();
    });
    this.#room.on('standing', (standing) => this.#stand(standing));
    this.#room.on('peer-added', (peer) => this.#appeared(peer));
    this.#room.on('peer-changed', (peer) => this.#peerChanged(peer));
    this.#room.on('peer-removed', ({ peer, reason }) => {
      this.#known.delete(peer.id);
      const sentence = {
        left: words.call.left,
        kicked: words.call.kicked,
        timeout: words.call.lost,
        error: words.call.lost,
      };
      this.announce(sentence[reason](nameOf(peer)));
    });
    this.#room.on('chat', (chat) => this.#heard(chat));
    this.#room.on('mute-request', ({ from, kind }) => this.#askedToMute(from, kind));
  }

  #turned(state: ConnectionState): void {
    if (state.is === 'waiting') this.#atDoor = true;
    if (state.is === 'joined') {
      if (this.#atDoor) this.announce(words.call.letIn);
      else if (this.#entry.seat && !this.#everJoined) this.announce(words.call.back);
      this.#atDoor = false;
      this.#everJoined = true;
      rememberRoom(this.#entry.room);
    }
    if (state.is === 'over') {
      this.#gone.abort();
      this.screen.stop();
      this.#emitter.emit('over', state.code);
    }
    this.#changed();
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

  #stand(standing: Standing): void {
    const before = this.#standing;
    this.#standing = standing;
    const known = new Set(before?.waiting.map(({ id }) => id));
    for (const { id, name } of standing.waiting)
      if (!known.has(id)) this.#notices.say(words.people.knocks(name ?? words.someone), true);
    if (before && before.self.role !== standing.self.role)
      this.announce(standing.self.role === 'host' ? words.call.nowHost : words.call.nowGuest);
    if (before && before.room.access !== standing.room.access) this.announce(words.call.access[standing.room.access]);
    this.#changed();
  }

  #appeared(peer: RemotePeer): void {
    this.#known.set(peer.id, peer);
    this.announce(words.call.joined(nameOf(peer)));
  }

  #peerChanged(peer: RemotePeer): void {
    const before = this.#known.get(peer.id);
    this.#known.set(peer.id, peer);
    if (peer.hand && !before?.hand) this.announce(words.call.raised(nameOf(peer)));
    if (peer.media.screen && !before?.media.screen) this.announce(words.screen.began(nameOf(peer)));
    this.#changed();
  }

  #askedToMute(from: string, kind: MediaKind): void {
    const isOn = kind === 'screen' ? this.screen.stream !== null : this.devices.state(deviceOf[kind]).is === 'on';
    const peer = this.peers.find(({ id }) => id === from);
    if (isOn) this.#asked = { name: peer ? nameOf(peer) : words.people.host, kind };
    this.#changed();
  }

  #devicesChanged(): void {
    this.#sendMedia();
    for (const kind of ['camera', 'microphone'] as const) {
      const state = this.devices.state(kind);
      if (state === this.#shown[kind]) continue;
      this.#shown[kind] = state;
      if (state.is === 'failed') this.announce(words.problem(kind, state.problem));
    }
  }

  #sendMedia(): void {
    const microphone = this.devices.state('microphone');
    const shared = this.screen.with('track' in microphone ? microphone.track : null);
    if (shared) this.#room.setMedia(shared, { audio: microphone.is === 'on', video: true, screen: true });
    else this.#room.setMedia(this.devices.stream);
    this.#changed();
  }

  #heard(chat: Chat): void {
    const peer = this.peers.find(({ id }) => id === chat.from);
    const line = heardLine(chat, peer ? nameOf(peer) : words.someone);
    this.#append(line);
    if (this.#panel === 'chat') return;
    this.#unread += 1;
    this.announce(words.chat.said(line.name, line.text));
  }

  #append(line: Omit<Line, 'key'>): number {
    this.#keys += 1;
    this.#lines = [...this.#lines, { ...line, key: this.#keys }];
    this.#changed();
    return this.#keys;
  }

  #changed(): void {
    this.#emitter.emit('changed', undefined);
  }
}

const deviceOf = { audio: 'microphone', video: 'camera' } as const;

export const nameOf = (peer: Pick<RemotePeer, 'name'>): string => peer.name ?? words.someone;
