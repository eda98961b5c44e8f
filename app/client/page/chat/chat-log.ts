/** The chat log: own lines, received lines, and the history from before joining. */
import type { Chat } from '../../room.ts';
import { words } from '../i18n/i18n.ts';

/** A line of the chat. `delivery` is about own lines; received ones are `done`. */
export type ChatLine = Readonly<{
  key: number;
  mine: boolean;
  name: string;
  text: string;
  at: number;
  /** Received by this peer only. */
  isPrivate: boolean;
  delivery: 'sending' | 'done' | 'refused';
}>;

/** A message of the room's chat history; `name` as it was then. */
export type HistoryEntry = { from: string; name?: string | undefined; text: string; at: number };

type NewChatLine = Omit<ChatLine, 'key'>;

export const ownLine = (text: string): NewChatLine => ({
  mine: true,
  name: words.chat.you,
  text,
  at: Date.now(),
  isPrivate: false,
  delivery: 'sending',
});

export const receivedLine = ({ text, at, to }: Chat, name: string): NewChatLine => ({
  mine: false,
  name,
  text,
  at,
  isPrivate: to !== undefined,
  delivery: 'done',
});

/**
 * The lines of `history` that are not in `known`. After a lost session the room sends history that was received already: received
 * lines are matched by the server's time, own lines by their text, because they were added before the server set a time.
 */
export const missing = (known: readonly NewChatLine[], history: readonly HistoryEntry[], self: string): NewChatLine[] =>
  history
    .map(({ from, name, text, at }): NewChatLine => {
      const mine = from === self;
      const shownName = mine ? words.chat.you : (name ?? words.someone);
      return { mine, name: shownName, text, at, isPrivate: false, delivery: 'done' };
    })
    .filter(
      (line) =>
        !known.some(({ mine, text, at }) => mine === line.mine && text === line.text && (mine || at === line.at)),
    );

/** Lines kept. */
export const most = 500;

/** The last lines, in order of arrival. */
export class ChatLog {
  #all: readonly ChatLine[] = [];
  #keys = 0;

  get all(): readonly ChatLine[] {
    return this.#all;
  }

  /** Returns the line's key. */
  add(line: NewChatLine): number {
    this.#keys += 1;
    this.#all = [...this.#all.slice(1 - most), { ...line, key: this.#keys }];
    return this.#keys;
  }

  addHistory(history: readonly HistoryEntry[], self: string): void {
    for (const line of missing(this.#all, history, self)) this.add(line);
  }

  settle(key: number, delivery: ChatLine['delivery']): void {
    this.#all = this.#all.map((line) => (line.key === key ? { ...line, delivery } : line));
  }
}
