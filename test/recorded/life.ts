/** The persisted formats of rooms in this release: an example of each, always of the same room. */
import { readdirSync } from 'node:fs';
import type { RoomLogEntry } from '../../app/rooms/event-log.ts';
import { applyMessage } from '../../app/rooms/messages.ts';
import type { Registry } from '../../app/rooms/registry.ts';
import type { Command } from '../../app/rooms/room.ts';
import { format as handOverFormat } from '../../app/rooms/snapshot.ts';
import { Batch } from '../../app/store/embedded/batch.ts';
import { recordWhole } from '../../app/store/embedded/changes.ts';
import { firstLine, format as journalFormat } from '../../app/store/embedded/journal-file.ts';
import { absent, changesOf, format as storeFormat, writeEntry } from '../../app/store/room-codec.ts';
import { limits, lived } from '../rooms/lived.ts';
import { rules } from '../rooms/rules.ts';

export const folder = import.meta.dirname;
/** A room in a shared store: its three keys. */
export type Stored = { fields: Record<string, string>; log: string[]; said: string[] };
/**
 * `handover-1.json` … → what one process hands over to another; `store-1.json` … → what a store keeps. `handover-1.1.json` and `handover-1.2.json` have the same
 * format, with additional fields that earlier readers ignore.
 */
export const files = (kind: 'handover' | 'store'): { file: string; format: string }[] =>
  readdirSync(folder).flatMap((file) => {
    const [, its, format] = /^(\w+)-(\d+)(?:\.\d+)?\.json$/.exec(file) ?? [];
    return its === kind && format ? [{ file, format }] : [];
  });
export const handOverFile = `handover-${handOverFormat}.2.json`;
export const storeFile = `store-${storeFormat}.2.json`;

/** `journal-1.bin` …: a file of the embedded store, with a random number that is 1 here. */
export const journalFile = `journal-${journalFormat}.bin`;

export const journaled = (): Buffer => {
  const { room, log } = withPasscode().find('r') ?? {};
  if (!room || !log) throw new Error('there is no room');
  const [header, batch, last] = [new Batch(), new Batch(), new Batch()];
  header.header({ number: 1, follows: 0, length: 0 });
  recordWhole(batch, room, log);
  batch.claim('key', 1000);
  batch.claim('released', 1000);
  batch.claim('released', 0);
  batch.change('other', 1, { set: {}, remove: ['p:x'] }, []);
  batch.removed('other');
  batch.mark('complete');
  last.skip(100);
  last.relay('r', 7, { seq: 101, at: 10, event: { type: 'signal', from: 'a', to: 'b', epoch: 2, data: '"玄関"' } });
  last.mark('clean');
  return Buffer.concat([Buffer.from(firstLine()), ...[header, batch, last].map((one) => one.frame(1))]);
};

export const handedOver = (): unknown => [...withPasscode().pack()][0];

const withPasscode = (): Registry => {
  const registry = lived();
  const set: Command<unknown> = (room, now) =>
    applyMessage(room, 'a', { type: 'passcode', n: 6, passcode: { salt: 's', hash: 'h' } }, now, rules);
  registry.commit('r', set, 9);
  return registry;
};

/** The identifier of a room's life in a store is random; here it is `life`. */
export const stored = (): Stored => {
  const registry = withPasscode();
  const looked = registry.commit('r', (room) => ({ events: [], result: structuredClone(room) }), 0);
  if ('refused' in looked) throw new Error(looked.refused);
  const entries = registry.since('r', looked.seq - limits.log.events + 1) as RoomLogEntry[];
  const { set, said } = changesOf(absent('r'), looked.result);
  const log = entries.map(writeEntry);
  const bytes = log.reduce((sum, event) => sum + Buffer.byteLength(event) + 16, 0);
  return {
    fields: { ...set, format: storeFormat, version: 'life.1', seq: `${looked.seq}`, bytes: `${bytes}` },
    log,
    said: said?.added ?? [],
  };
};
