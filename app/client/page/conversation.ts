/** One call as the page shows it: the room's state, its people, what was written, what was announced. */
import { Emitter } from '../events.ts';
import { type Chat, type ConnectionState, type ErrorCode, join, type RemotePeer, type Room } from '../genkan.ts';
import type { DeviceState, Devices, Kind } from './devices.ts';
import { recallToken } from './memory.ts';
import { icePolicyOf } from './route.ts';
import { words } from './words.ts';

/** A line of the chat. `delivery` is about one's own; what the others wrote has arrived. */
export type Line = Readonly<{
  key: number;
  mine: boolean;
  name: string;
  text: string;
  at: number;
  delivery: 'sending' | 'done' | 'refused';
}>;

/** Said once, by a screen reader and for some seconds on the screen. */
export type Notice = Readonly<{ key: number; text: string }>;

const noticeTime = 5_000;

export class Conversation {
  readonly name: string;
  readonly devices: Devices;
  #room: Room;
  #emitter = new Emitter<{ changed: undefined; over: ErrorCode }>();
  #everJoined = false;
  #lines: readonly Line[] = [];
  #notices: readonly Notice[] = [];
  #chatOpen = false;
  #unread = 0;
  #keys = 0;
  #shown: Record<Kind, DeviceState>;

  constructor(room: string, name: string, devices: Devices) {
    this.name = name;
    this.devices = devices;
    const token = recallToken(room);
    this.#room = join({
      room,
      name,
      media: devices.stream,
      iceTransportPolicy: icePolicyOf(location.href),
      ...(token === undefined ? {} : { token }),
    });
    this.#shown = { camera: devices.state('camera'), microphone: devices.state('microphone') };
    const stop = devices.onChange(() => this.#devicesChanged());
    this.#room.on('state', (state) => {
      if (state.is === 'joined') this.#everJoined = true;
      if (state.is === 'over') stop();
      if (state.is === 'over') this.#emitter.emit('over', state.code);
      this.#changed();
    });
    this.#room.on('peer-added', (peer) => this.announce(words.call.joined(nameOf(peer))));
    this.#room.on('peer-changed', () => this.#changed());
    this.#room.on('peer-removed', ({ peer, reason }) => {
      this.announce((reason === 'left' ? words.call.left : words.call.lost)(nameOf(peer)));
    });
    this.#room.on('chat', (chat) => this.#heard(chat));
  }

  get state(): ConnectionState {
    return this.#room.state;
  }

  /** Whether there was a conversation at all; until then, problems are about joining. */
  get everJoined(): boolean {
    return this.#everJoined;
  }

  get peers(): RemotePeer[] {
    return this.#room.peers;
  }

  get lines(): readonly Line[] {
    return this.#lines;
  }

  get notices(): readonly Notice[] {
    return this.#notices;
  }

  get unread(): number {
    return this.#unread;
  }

  get chatOpen(): boolean {
    return this.#chatOpen;
  }

  onChange(listener: () => void): () => void {
    return this.#emitter.on('changed', listener);
  }

  /** Calls back once, when the call has ended, whoever ended it. */
  onOver(listener: (code: ErrorCode) => void): () => void {
    return this.#emitter.on('over', listener);
  }

  openChat(open: boolean): void {
    this.#chatOpen = open;
    this.#unread = 0;
    this.#changed();
  }

  async say(text: string): Promise<void> {
    const key = this.#append({ mine: true, name: words.chat.you, text, at: Date.now(), delivery: 'sending' });
    const { accepted } = await this.#room.chat(text);
    this.#lines = this.#lines.map((line) =>
      line.key === key ? { ...line, delivery: accepted ? 'done' : 'refused' } : line,
    );
    this.#changed();
  }

  announce(text: string): void {
    this.#keys += 1;
    const notice = { key: this.#keys, text };
    this.#notices = [...this.#notices.slice(-2), notice];
    setTimeout(() => {
      this.#notices = this.#notices.filter((other) => other !== notice);
      this.#changed();
    }, noticeTime);
    this.#changed();
  }

  retry(peer: string): void {
    this.#room.retry(peer);
  }

  leave(): void {
    this.#room.leave();
  }

  #devicesChanged(): void {
    this.#room.setMedia(this.devices.stream);
    for (const kind of ['camera', 'microphone'] as const) {
      const state = this.devices.state(kind);
      if (state === this.#shown[kind]) continue;
      this.#shown[kind] = state;
      if (state.is === 'failed') this.announce(words.problem(kind, state.problem));
    }
  }

  #heard({ from, text, at }: Chat): void {
    const peer = this.peers.find(({ id }) => id === from);
    const name = peer ? nameOf(peer) : words.someone;
    this.#append({ mine: false, name, text, at, delivery: 'done' });
    if (this.#chatOpen) return;
    this.#unread += 1;
    this.announce(words.chat.said(name, text));
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

export const nameOf = (peer: RemotePeer): string => peer.name ?? words.someone;
