/** The chat of a call: its lines, and how many of them are unread. */
import type { Chat, Room } from '../../room.ts';
import { words } from '../i18n/i18n.ts';
import { type ChatLine, ChatLog, type HistoryEntry, ownLine, receivedLine } from './chat-log.ts';
import { excerptOf } from './excerpt.ts';

/** Characters of a text that are announced. */
const mostAnnounced = 200;

type ChatModelOptions = {
  room: Room;
  nameOfPeer(peer: string): string;
  /** Whether the chat is shown. */
  isOpen(): boolean;
  /** `from`: the peer that has caused it. */
  announce(text: string, from: string): void;
  changed(): void;
};

export class ChatModel {
  #options: ChatModelOptions;
  #log = new ChatLog();
  #unread = 0;

  constructor(options: ChatModelOptions) {
    this.#options = options;
    options.room.on('chat', (chat) => this.#received(chat));
  }

  get lines(): readonly ChatLine[] {
    return this.#log.all;
  }

  get unread(): number {
    return this.#unread;
  }

  async send(text: string): Promise<void> {
    const { room, changed } = this.#options;
    const key = this.#log.add(ownLine(text));
    changed();
    const { accepted } = await room.chat(text);
    this.#log.settle(key, accepted ? 'done' : 'refused');
    changed();
  }

  /** The chat was opened. */
  markRead(): void {
    this.#unread = 0;
  }

  addHistory(history: readonly HistoryEntry[], self: string): void {
    this.#log.addHistory(history, self);
  }

  /** Counts and announces what is new in the chat, unless it is open. */
  notify(text: string, from: string): void {
    const { isOpen, announce, changed } = this.#options;
    if (!isOpen()) {
      this.#unread += 1;
      announce(text, from);
    }
    changed();
  }

  #received(chat: Chat): void {
    const line = receivedLine(chat, this.#options.nameOfPeer(chat.from));
    this.#log.add(line);
    const said = line.isPrivate ? words.chat.saidPrivately : words.chat.said;
    this.notify(said(line.name, excerptOf(line.text, mostAnnounced)), chat.from);
  }
}
