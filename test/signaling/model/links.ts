/** The two ways to carry a conversation over lines that may be cut, frozen and stalled; neither way ever repairs itself. */

import type { ErrorCode } from '../../../app/protocol/errors.ts';
import type { ServerMessage } from '../../../app/protocol/messages.ts';
import type { Direction, Manner } from './line.ts';

export type Fields = Record<string, unknown>;

/** What a link tells whoever uses it. */
export type Hearer = {
  heard(link: Link, message: ServerMessage): void;
  /** Events up to this number were told. */
  told(link: Link, seq: number): void;
  /** A request came to its end. */
  stirred(): void;
  /** Nothing is under way any more of what was said in one go. */
  returned(link: Link): void;
};

/** `armed`: it will be cut at some byte. `over`: it carries nothing any more. */
export type Condition = 'whole' | 'armed' | 'stalled' | 'frozen' | 'over';

export interface Link {
  readonly kind: 'WebSocket' | 'HTTP';
  condition: Condition;
  /** Refusals with which the server may end it. */
  readonly mayEnd: Set<ErrorCode>;
  /** How it ended, unless we cut it: a close code or a status, and the refusal. */
  ended: { code: number; refused?: ErrorCode } | undefined;
  /** It was frozen or stalled: the server may have ended it for any reason. */
  excused: boolean;
  /** The server has answered a join on it. */
  welcomed: boolean;
  /** Everything asked was answered. */
  readonly quiet: boolean;
  join(fields: Fields): void;
  say(messages: Fields[]): void;
  leave(): void;
  /** Asks for everything the server has to tell so far; it is told once the link is quiet. */
  drain(): void;
  cut(manner: Manner): void;
  cutAfter(direction: Direction, bytes: number, manner: Manner): void;
  freeze(): void;
  stall(): void;
  thaw(): void;
}

export abstract class AnyLink {
  condition: Condition = 'whole';
  ended: { code: number; refused?: ErrorCode } | undefined;
  excused = false;
  welcomed = false;
  readonly mayEnd = new Set<ErrorCode>();
  protected readonly path: string;
  protected readonly room: string;
  protected readonly hearer: Hearer;

  constructor(path: string, room: string, hearer: Hearer) {
    this.path = path;
    this.room = room;
    this.hearer = hearer;
  }
}
