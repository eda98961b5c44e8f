/** The life of a peer in a room: its numbered messages, its joins, and what it received. */
import { isDeepStrictEqual } from 'node:util';
import type { ErrorCode } from '../../../app/protocol/errors.ts';
import type { Joined, PeerId, ServerMessage } from '../../../app/protocol/messages.ts';
import type { Fields, Link } from './links.ts';

export type ReceivedEvent = Exclude<
  Extract<ServerMessage, { seq: number }>,
  { type: 'joined' | 'waiting' | 'reached' }
>;

/** From a new session in a room to the next one or the end: one session, one numbering. */
export type Life = {
  id: PeerId;
  session: string;
  start: number;
  /** The last event it received. */
  last: number;
  received: ReceivedEvent[];
  /** How many of them were compared with the witness's, up to which event and in which round. */
  compared: { received: number; upTo: number; round: number };
  sent: Sent[];
  /** The epoch of the pair with each peer, as it received it. */
  epochs: Map<PeerId, number>;
  /** It may have been resumed by a join whose response was lost. */
  doubtful: boolean;
  /** It has sent leave. */
  leaving: boolean;
  ended: boolean;
};

/** A numbered message, whatever its outcome. */
export type Sent = {
  n: number;
  tag: string;
  from: Life;
  message: Fields;
  /** The last event the witness knew when it was first sent, and at the end of the round in which it was settled. */
  low: number;
  high: number | undefined;
  settledIn: number;
  settled: 'acked' | ErrorCode | undefined;
  /** The link it is in flight on. */
  on: Link | undefined;
  /** A link was lost between sending and settling, and possibly an error with it. */
  lossy: boolean;
  /** The number of the event it became, and the lives that received it. */
  seq: number | undefined;
  receivers: Set<Life>;
};

/** One join. `resumes`: the life to resume; `session`: the session sent, of any peer. */
export type Attempt = {
  link: Link;
  session: string;
  low: number;
  resumes: Life | undefined;
  after: number;
  outcome: Joined | ErrorCode | 'lost' | undefined;
};

/** Every message is unique by its content. */
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

/** The tag of a message, in what the receivers get of it. */
export const tagOf = (event: ReceivedEvent): string | undefined => {
  if (event.type === 'signal')
    return typeof event.data === 'object' && event.data !== null && 'tag' in event.data ? String(event.data.tag) : '';
  if (event.type === 'chat') return event.text;
  return event.type === 'peer-updated' ? event.name : undefined;
};

/** Whether receivers get exactly what was sent. */
export const faithful = ({ message, from }: Sent, event: ReceivedEvent): boolean => {
  if (event.type === 'signal')
    return event.from === from.id && event.epoch === message.epoch && isDeepStrictEqual(event.data, message.data);
  if (event.type === 'chat') return event.from === from.id && event.to === message.to;
  return event.type === 'peer-updated' && event.peer === from.id && isDeepStrictEqual(event.media, message.media);
};
