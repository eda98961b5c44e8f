/** Rooms in an embedded store, and in copies of its directory as a killed process leaves it. */
import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import type { RoomLogEntry } from '../../app/rooms/event-log.ts';
import { zeroCounts } from '../../app/stats/counters.ts';
import { type EmbeddedOptions, EmbeddedStore } from '../../app/store/embedded/embedded.ts';
import { recover } from '../../app/store/embedded/recovery.ts';
import { limits, look } from './contract.ts';

export const wide = { ...limits, log: { events: 1000, bytes: 1_000_000, age: 1e12 } };

/** Directories and stores of the current test. */
const leftovers: (() => unknown)[] = [];

const atEnd = (remove: () => unknown): void => {
  if (leftovers.push(remove) === 1) onTestFinished(cleanUp);
};

export const cleanUp = async (): Promise<void> => {
  for (const remove of leftovers.splice(0).reverse()) await remove();
};

export const newDirectory = (): string => {
  const directory = mkdtempSync(join(tmpdir(), 'embedded-'));
  atEnd(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
};

/** What a process that is killed now leaves. */
export const copyOf = (directory: string): string => {
  const copy = newDirectory();
  cpSync(directory, copy, { recursive: true, filter: (from) => !from.endsWith('lock') });
  return copy;
};

export type Opened = { store: EmbeddedStore; directory: string; logged: string[]; pass(ms: number): void };

export const newStore = (directory = newDirectory(), options: Partial<EmbeddedOptions> = {}): Opened => {
  let now = 1_000_000;
  const logged: string[] = [];
  const say = (_fields: object, message: string) => void logged.push(message);
  const store = new EmbeddedStore(
    { directory, limits: wide, syncInterval: 0, maxBytes: 1e12, patience: 0, ...options },
    () => now,
    { info: say, error: say },
    zeroCounts(),
  );
  atEnd(() => store.close());
  const pass = (ms: number): void => {
    now += ms;
  };
  return { store, directory, logged, pass };
};

export const openStore = async (directory?: string, options: Partial<EmbeddedOptions> = {}): Promise<Opened> => {
  const opened = newStore(directory, options);
  await opened.store.open();
  return opened;
};

type Kept = { room: object; events: RoomLogEntry[] };
/** Rooms by name, in a form that can be compared. A chat message's number is not kept. */
export type State = Record<string, Kept>;

const comparable = (room: Kept['room'] & { said: { seq?: number }[] }): object => ({
  ...room,
  said: room.said.map(({ seq: _, ...text }) => text),
});

/** @param names of all rooms that may exist */
export const stateOf = async (store: EmbeddedStore, names: string[]): Promise<State> => {
  const state: State = {};
  for (const name of names) {
    const room = await look(store, name);
    if (room.peers.size + room.waiting.size + room.gone.size === 0) continue;
    const events = await store.since(name, 0);
    state[name] = { room: comparable(room), events: Array.isArray(events) ? events : [] };
  }
  return state;
};

/** As the files have it. */
export const recordedIn = (directory: string): State =>
  Object.fromEntries(
    recover(directory, wide.log).rooms.map(({ room, log }) => [
      room.name,
      { room: comparable(room), events: log.kept() },
    ]),
  );
