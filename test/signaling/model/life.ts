/** What a peer lives through in a room: its numbered messages, its tries to enter, what it was told. */
import { isDeepStrictEqual } from 'node:util';
import type { ErrorCode } from '../../../app/protocol/errors.ts';
import type { Joined, PeerId, ServerMessage } from '../../../app/protocol/messages.ts';
import type { Fields, Link } from './links.ts';

export type Told = Exclude<Extract<ServerMessage, { seq: number }>, { type: 'joined' | 'waiting' | 'reached' }>;

/** From a new beginning in a room to the next or the end: one session, one numbering. */
export type Life = {
  id: PeerId;
  session: string;
  start: number;
  /** The last event it was told. */
  last: number;
  received: Told[];
  /** How many of them were compared with the witness's, up to which event and in which round. */
  compared: { received: number; told: number; round: number };
  sent: Sent[];
  /** Epoch of the pair with each peer, as it was told. */
  epochs: Map<PeerId, number>;
  /** It was taken up again by a join whose answer was lost, or not. */
  doubtful: boolean;
  /** It has asked to go. */
  leaving: boolean;
  ended: boolean;
};

/** A numbered message, whatever becomes of it. */
export type Sent = {
  n: number;
  tag: string;
  from: Life;
  message: Fields;
  /** The last event the witness knew when it was sent first, and at the end of the round in which it was settled. */
  low: number;
  high: number | undefined;
  settledIn: number;
  settled: 'acked' | ErrorCode | undefined;
  /** The link it is under way on. */
  on: Link | undefined;
  /** A link was lost between sending and settling, and maybe an error with it. */
  lossy: boolean;
  /** The number of the event it became, and the lives that were told. */
  seq: number | undefined;
  receivers: Set<Life>;
};

/** One try to enter. `resumes`: the life that is to go on; `session`: what was shown, anyone's. */
export type Attempt = {
  link: Link;
  session: string;
  low: number;
  resumes: Life | undefined;
  after: number;
  outcome: Joined | ErrorCode | 'lost' | undefined;
};

/** Every message can be told from every other by its content. */
export const tagged = ({ type, ...rest }: Fields, n: number, tag: string): Fields => {
  switch (type) {
    case 'signal':
      return { type, n, ...rest, data: { tag, pad: rest.data } };
    case 'chat':
      return { type, n, ...rest, text: tag };
    case 'update':
      return { type, n, ...rest, name: tag };
    default:
      return { type, n, ...rest };
  }
};

/** The tag of a message, in what the receivers are told of it. */
export const tagOf = (event: Told): string | undefined => {
  if (event.type === 'signal')
    return typeof event.data === 'object' && event.data !== null && 'tag' in event.data ? String(event.data.tag) : '';
  if (event.type === 'chat') return event.text;
  return event.type === 'peer-updated' ? event.name : undefined;
};

/** Whether receivers are told just what was said. */
export const faithful = ({ message, from }: Sent, event: Told): boolean => {
  if (event.type === 'signal')
    return event.from === from.id && event.epoch === message.epoch && isDeepStrictEqual(event.data, message.data);
  if (event.type === 'chat') return event.from === from.id && event.to === message.to;
  return event.type === 'peer-updated' && event.peer === from.id && isDeepStrictEqual(event.media, message.media);
};
