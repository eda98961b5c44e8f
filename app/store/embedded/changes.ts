/** Records the changes of rooms in a batch: what differs from what was recorded before. */
import type { RoomName } from '../../protocol/messages.ts';
import type { EventLog, RoomLogEntry } from '../../rooms/event-log.ts';
import { isOver, type Room, type RoomEvent } from '../../rooms/room.ts';
import { absent, changesOf, copyOf, type StoredRoom } from '../room-codec.ts';
import type { Batch } from './batch.ts';

export class RecordedRooms {
  /** The rooms as they are recorded. */
  readonly #rooms = new Map<RoomName, StoredRoom>();

  /** A room that the journal has. */
  add(room: Room): void {
    this.#rooms.set(room.name, { version: 'recorded.0', room: copyOf(room) });
  }

  record(batch: Batch, room: Room, log: EventLog, entries: RoomLogEntry[]): void {
    const { name } = room;
    const recorded = this.#rooms.get(name);
    if (isOver(room)) {
      if (this.#rooms.delete(name)) batch.removed(name);
      return;
    }
    if (recorded && recordRelay(batch, recorded.room, room, entries)) return;
    const changes = changesOf(recorded ?? absent(name), room);
    const { version, set, remove, said } = changes;
    if (entries.length === 0 && remove.length === 0 && !said && isEmptyObject(set)) return;
    batch.change(name, log.seq, { set, remove, ...(said ? { said } : {}) }, entries);
    this.#rooms.set(name, { version, room: copyOf(room) });
  }
}

/** Records a room with all that it keeps. */
export const recordWhole = (batch: Batch, room: Room, log: EventLog): void => {
  const { set, said } = changesOf(absent(room.name), room);
  let run: RoomLogEntry[] = [];
  const recordRun = (): void => {
    const last = run.at(-1);
    if (last) batch.change(room.name, last.seq, {}, run);
    run = [];
  };
  for (const part of log.parts()) {
    if ('base' in part) batch.room(room.name, part.base, { set, ...(said ? { said } : {}) });
    else if ('skipTo' in part) {
      recordRun();
      batch.change(room.name, part.skipTo, {}, []);
    } else run.push(part);
  }
  recordRun();
};

/** A signal changes only the number up to which its sender's messages are settled; a text also the chat history. */
const recordRelay = (batch: Batch, recorded: Room, { name, peers, said }: Room, entries: RoomLogEntry[]): boolean => {
  const [entry] = entries;
  if (entry === undefined || entries.length > 1 || !isRelay(entry.event)) return false;
  const { from, type } = entry.event;
  const sender = recorded.peers.get(from);
  const accepted = peers.get(from)?.accepted;
  if (!sender || accepted === undefined) return false;
  sender.accepted = accepted;
  if (type === 'signal') batch.relay(name, accepted, entry);
  else {
    const text = said.at(-1);
    const isNew = text !== undefined && text !== recorded.said.at(-1);
    // Its number is in the event.
    const added = isNew ? [JSON.stringify({ ...text, seq: undefined })] : [];
    batch.change(
      name,
      entry.seq,
      { set: { [`a:${from}`]: `${accepted}` }, said: { added, kept: said.length } },
      entries,
    );
    recorded.said = said.slice();
  }
  return true;
};

const isRelay = (event: RoomEvent): event is Extract<RoomEvent, { type: 'signal' | 'chat' }> =>
  event.type === 'signal' || event.type === 'chat';

const isEmptyObject = (value: object): boolean => {
  for (const _key in value) return false;
  return true;
};
