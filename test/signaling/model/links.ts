/** Two transports for a session over lines that may be cut, frozen and stalled; neither ever repairs itself. */

import type { ErrorCode } from '../../../app/protocol/errors.ts';
import type { ServerMessage } from '../../../app/protocol/messages.ts';
import type { Direction, Manner } from './line.ts';

export type Fields = Record<string, unknown>;

/** What a link reports to its caller. */
export type LinkListener = {
  received(link: Link, message: ServerMessage): void;
  /** Events up to this number were received. */
  receivedUpTo(link: Link, seq: number): void;
  /** A request has ended. */
  stirred(): void;
  /** Nothing of one batch is in flight any more. */
  returned(link: Link): void;
};

/** `armed`: it will be cut at some byte. `over`: it carries nothing any more. */
export type Condition = 'whole' | 'armed' | 'stalled' | 'frozen' | 'over';

export interface Link {
  readonly kind: 'WebSocket' | 'HTTP';
  condition: Condition;
  /** Refusals with which the server may end it. */
  readonly mayEnd: Set<ErrorCode>;
  /** How it ended, unless the test cut it: a close code or a status, and the refusal. */
  ended: { code: number; refused?: ErrorCode } | undefined;
  /** It was frozen or stalled: the server may have ended it for any reason. */
  excused: boolean;
  /** The server has answered a join on it. */
  welcomed: boolean;
  /** Every request was answered. */
  readonly quiet: boolean;
  join(fields: Fields): void;
  say(messages: Fields[]): void;
  leave(): void;
  /** Requests everything the server has to send so far; it has arrived once the link is quiet. */
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
  protected readonly listener: LinkListener;

  constructor(path: string, room: string, listener: LinkListener) {
    this.path = path;
    this.room = room;
    this.listener = listener;
  }
}
