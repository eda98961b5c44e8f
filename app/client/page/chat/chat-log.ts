/** What was written in a call: one's own lines, the others', and what had been said before one came. */
import type { Chat } from '../../room.ts';
import { words } from '../i18n/i18n.ts';

/** A line of the chat. `delivery` is about one's own; what the others wrote has arrived. */
export type ChatLine = Readonly<{
  key: number;
  mine: boolean;
  name: string;
  text: string;
  at: number;
  delivery: 'sending' | 'done' | 'refused';
}>;

/** What the room says was said before; `name` as it was then. */
export type Before = { from: string; name?: string | undefined; text: string; at: number };

type NewLine = Omit<ChatLine, 'key'>;

export const ownLine = (text: string): NewLine => ({
  mine: true,
  name: words.chat.you,
  text,
  at: Date.now(),
  delivery: 'sending',
});

export const receivedLine = ({ text, at }: Chat, name: string): NewLine => ({
  mine: false,
  name,
  text,
  at,
  delivery: 'done',
});

/**
 * The lines that `before` has and `known` has not. After a lost session the room tells again what was heard already: the
 * others' lines are known by the server's time, one's own by their text, as they were sent before that time was.
 */
export const missing = (known: readonly NewLine[], before: readonly Before[], self: string): NewLine[] =>
  before
    .map(({ from, name, text, at }): NewLine => {
      const mine = from === self;
      return { mine, name: mine ? words.chat.you : (name ?? words.someone), text, at, delivery: 'done' };
    })
    .filter(
      (line) =>
        !known.some(({ mine, text, at }) => mine === line.mine && text === line.text && (mine || at === line.at)),
    );

/** The lines that are kept: each is drawn again with every change. */
export const most = 500;

/** The last lines in the order in which they came here. */
export class ChatLog {
  #all: readonly ChatLine[] = [];
  #keys = 0;

  get all(): readonly ChatLine[] {
    return this.#all;
  }

  /** Returns the line's key. */
  add(line: NewLine): number {
    this.#keys += 1;
    this.#all = [...this.#all.slice(1 - most), { ...line, key: this.#keys }];
    return this.#keys;
  }

  addBefore(before: readonly Before[], self: string): void {
    for (const line of missing(this.#all, before, self)) this.add(line);
  }

  settle(key: number, delivery: ChatLine['delivery']): void {
    this.#all = this.#all.map((line) => (line.key === key ? { ...line, delivery } : line));
  }
}
