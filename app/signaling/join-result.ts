/** What a peer is sent first, once its join is committed. */
import type { Joined, Waiting } from '../protocol/messages.ts';
import type { RoomLogEntry } from '../rooms/event-log.ts';
import type { JoinOutcome } from '../rooms/join.ts';
import { concerns } from '../rooms/room.ts';
import type { Committed } from '../store/store.ts';
import type { Signaling } from './context.ts';

/**
 * `first` is the first message to the peer; `renewIceAt` is when its ICE servers have to be replaced (ms since 1970). For a
 * resumed session, `missed` has the events since the number that the peer sent, and `accepted` is the last of its own messages
 * that is settled. `isNew`: the seat is a new one.
 */
export type JoinResult = {
  first: Joined | Waiting;
  renewIceAt: number;
  missed: RoomLogEntry[];
  accepted: number;
  isNew: boolean;
};

/** `lastSeen`: the last event number that the peer has seen; chat texts up to it are not sent again. */
type JoinedAs = { recovered?: boolean; lastSeen?: number | undefined; isNew?: boolean };

/** Builds the first message to a peer that joined or resumed (`recovered`). */
export const joinResult = (
  { ice, clock, limits }: Signaling,
  { result, seq }: Committed<JoinOutcome>,
  session: string,
  { recovered = false, lastSeen = 0, isNew = false }: JoinedAs = {},
): JoinResult => {
  const { grace } = limits.rules;
  if (result.state === 'waiting') {
    const { id, name } = result.self;
    const self = { id, ...(name === undefined ? {} : { name }) };
    const first: Waiting = { type: 'waiting', self, host: result.host, seq, session, grace };
    return { first, renewIceAt: Number.POSITIVE_INFINITY, missed: [], accepted: 0, isNew };
  }
  const { self, said: history, waiting, ...view } = result.view;
  const { id, name, role, media, hand, accepted } = self;
  const { servers, renewAt } = ice(id, self.from, clock());
  const chat = history
    .filter((text) => text.seq === undefined || text.seq > lastSeen)
    .map(({ seq: _, ...text }) => text);
  const first: Joined = {
    type: 'joined',
    self: { id, ...(name === undefined ? {} : { name }), role, media, hand },
    ...view,
    ...(waiting === undefined ? {} : { waiting }),
    ...(recovered || chat.length === 0 ? {} : { chat }),
    seq,
    session,
    ice: servers,
    grace,
    recovered,
  };
  return { first, renewIceAt: renewAt, missed: [], accepted, isNew };
};

/**
 * Sets `seq` back to that of the admission and lets the events since then follow, because the current view has no chat texts
 * or signals sent to the peer since then. Events about peers repeat what the view already shows.
 */
export const asOf = (admission: number, { first, ...rest }: JoinResult, entries: RoomLogEntry[]): JoinResult => {
  if (first.type === 'waiting') return { first, ...rest };
  const { chat = [], ...joined } = first;
  const since = entries.filter(({ seq }) => seq > admission);
  const newTexts = since.filter(({ event }) => event.type === 'chat' && event.to === undefined).length;
  const history = chat.slice(0, Math.max(0, chat.length - newTexts));
  return {
    ...rest,
    first: { ...joined, ...(history.length === 0 ? {} : { chat: history }), seq: admission },
    missed: since.filter(({ event }) => concerns(event, joined.self.id)),
  };
};
