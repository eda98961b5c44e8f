/** Two pages that transfer files to each other, over a path that the test slows down, corrupts or cuts. */
import { expect, vi } from 'vitest';
import { Allowance } from '../../app/client/allowance.ts';
import { type Channel, type ChannelData, read } from '../../app/client/channel.ts';
import { Emitter } from '../../app/client/events.ts';
import { type FileOptions, type FileRoom, files } from '../../app/client/files.ts';
import type { Incoming } from '../../app/client/incoming.ts';
import type { RoomEvents } from '../../app/client/room.ts';
import type { Transfer, TransferState } from '../../app/client/transfer.ts';

/** A room of two, as file transfers see it: what one sends the other receives a moment later, unless the path is cut. */
export const pair = (options: FileOptions = {}) => {
  /** Incremented with each new connection; data in flight over the previous one is lost. */
  let connection = 1;
  const spoil = { frame: (frame: ArrayBuffer): ArrayBuffer => frame, ready: () => Promise.resolve() };
  const sent: ChannelData[] = [];
  const [one, other] = (['one', 'other'] as const).map((name) => {
    const emitter = new Emitter<RoomEvents>();
    let listeners = 0;
    const allowance = new Allowance();
    const room: FileRoom & {
      listeners(): number;
      emitter: typeof emitter;
      hear(from: string, data: ChannelData): void;
    } = {
      emitter,
      hear: (from, given) => {
        const data = read(given, allowance);
        if (data) emitter.emit('data', { from, data, allowance });
      },
      listeners: () => listeners,
      on: (event, listener) => {
        listeners += 1;
        const stop = emitter.on(event, listener);
        return () => {
          listeners -= 1;
          stop();
        };
      },
      peers: [{ id: name === 'one' ? 'other' : 'one' }],
      channel: () => channelOf(name) as unknown as Channel,
    };
    return room;
  });
  if (!one || !other) throw new Error('there are two');
  const channelOf = (name: string) => {
    const own = connection;
    return {
      ready: () => spoil.ready(),
      send: (data: ChannelData): boolean => {
        if (own !== connection) return false;
        const spoiled = typeof data === 'string' ? data : spoil.frame(data);
        sent.push(spoiled);
        setImmediate(() => {
          const to = name === 'one' ? other : one;
          if (own === connection) to.hear(name, spoiled);
        });
        return true;
      },
    };
  };
  const [a, b] = [files(one, options), files(other, options)];
  const offered: Incoming[] = [];
  b.on('file', (file) => offered.push(file));
  return {
    ...{ a, b, one, other, sent, spoil, offered },
    /** The connection was replaced by a new one. */
    replace: () => {
      connection += 1;
      one.emitter.emit('channel', 'other');
      other.emitter.emit('channel', 'one');
    },
    frames: () => sent.filter((data) => typeof data !== 'string').length,
  };
};

export const fileOf = (size: number, name = 'a.bin') => {
  const bytes = Uint8Array.from({ length: size }, (_, index) => (index * 7 + (index >> 8)) % 251);
  return new File([bytes], name, { type: 'application/x-test' });
};
export const reaches = (transfer: Transfer | undefined, is: TransferState['state']) =>
  vi.waitFor(() => expect(transfer?.state.state).toBe(is), { timeout: 5_000, interval: 5 });
export const bytesOf = async (file: File | undefined) => Buffer.from((await file?.arrayBuffer()) ?? new ArrayBuffer(0));
export const received = (transfer: Transfer | undefined) =>
  transfer?.state.state === 'done' ? transfer.state.file : undefined;
