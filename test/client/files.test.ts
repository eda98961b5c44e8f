import { describe, expect, it, vi } from 'vitest';
import type { Channel, Data } from '../../app/client/channel.ts';
import { Emitter } from '../../app/client/events.ts';
import { type FileOptions, type FileRoom, files } from '../../app/client/files.ts';
import type { RoomEvents } from '../../app/client/genkan.ts';
import type { Incoming } from '../../app/client/incoming.ts';
import { blockBytes, frameBytes, type Transfer, type TransferState } from '../../app/client/transfer.ts';
import { settled } from './fake-clock.ts';

/** A room of two as files see it: what one sends the other hears a moment later, unless the way is cut. */
const pair = (options: FileOptions = {}) => {
  /** Counts up with each fresh connection; what was under way over the one before is lost. */
  let connection = 1;
  const spoil = { frame: (frame: ArrayBuffer): ArrayBuffer => frame, ready: () => Promise.resolve() };
  const sent: Data[] = [];
  const [one, other] = (['one', 'other'] as const).map((name) => {
    const emitter = new Emitter<RoomEvents>();
    let listeners = 0;
    const room: FileRoom & { listeners(): number; emitter: typeof emitter } = {
      emitter,
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
      send: (data: Data): boolean => {
        if (own !== connection) return false;
        const spoiled = typeof data === 'string' ? data : spoil.frame(data);
        sent.push(spoiled);
        setImmediate(() => {
          const to = name === 'one' ? other : one;
          if (own === connection) to.emitter.emit('data', { from: name, data: spoiled });
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
    /** The connection was replaced by a fresh one. */
    replace: () => {
      connection += 1;
      one.emitter.emit('channel', 'other');
      other.emitter.emit('channel', 'one');
    },
    frames: () => sent.filter((data) => typeof data !== 'string').length,
  };
};

const fileOf = (size: number, name = 'a.bin') => {
  const bytes = Uint8Array.from({ length: size }, (_, index) => (index * 7 + (index >> 8)) % 251);
  return new File([bytes], name, { type: 'application/x-test' });
};
const reaches = (transfer: Transfer | undefined, is: TransferState['is']) =>
  vi.waitFor(() => expect(transfer?.state.is).toBe(is), { timeout: 5_000, interval: 5 });
const bytesOf = async (file: File | undefined) => Buffer.from((await file?.arrayBuffer()) ?? new ArrayBuffer(0));
const received = (transfer: Transfer | undefined) => (transfer?.state.is === 'done' ? transfer.state.file : undefined);

describe('a file', () => {
  it.each([0, 1, frameBytes, frameBytes + 1, blockBytes, 3 * blockBytes + 12_345])(
    'of %i bytes arrives as it was',
    async (size) => {
      const { a, offered } = pair();
      const file = fileOf(size, '写真 1.jpg');
      const outgoing = a.offer('other', file);
      await settled();
      const [incoming] = offered;
      expect(incoming).toMatchObject({
        name: '写真 1.jpg',
        size,
        type: 'application/x-test',
        peer: 'one',
        progress: 0,
      });
      const progress: number[] = [];
      outgoing.on('progress', (bytes) => progress.push(bytes));
      incoming?.accept();
      await Promise.all([reaches(outgoing, 'done'), reaches(incoming, 'done')]);
      const copy = received(incoming);
      expect([copy?.name, copy?.type, copy?.size]).toEqual([file.name, file.type, size]);
      expect((await bytesOf(copy)).equals(await bytesOf(file))).toBe(true);
      expect(progress).toEqual(progress.toSorted((x, y) => x - y));
      expect([outgoing.progress, incoming?.progress]).toEqual([size, size]);
    },
  );

  it('is not sent before it was accepted, and not at all when it was declined', async () => {
    const { a, offered, frames } = pair();
    const outgoing = a.offer('other', fileOf(10));
    await settled();
    offered[0]?.decline();
    offered[0]?.accept();
    await settled();
    expect(outgoing.state).toEqual({ is: 'over', reason: 'declined' });
    expect(frames()).toBe(0);
  });

  it('that is too large is refused by either side', async () => {
    const { a, b, offered } = pair({ limit: 100 });
    expect(() => a.offer('other', fileOf(101))).toThrow(new RangeError('the file has more than 100 bytes'));
    b.close();
    const small = pair({ limit: 100 });
    const generous = files(small.one, { limit: 1_000 });
    const outgoing = generous.offer('other', fileOf(101));
    await reaches(outgoing, 'over');
    expect(outgoing.state).toEqual({ is: 'over', reason: 'too-large' });
    expect([offered, small.offered]).toEqual([[], []]);
  });

  it.each(['cancel', 'decline'] as const)('stops on both sides in the middle by %s', async (how) => {
    const { a, offered, frames } = pair();
    const outgoing = a.offer('other', fileOf(20 * blockBytes));
    await settled();
    const [incoming] = offered;
    incoming?.on('progress', () => (how === 'cancel' ? outgoing.cancel() : incoming.decline()));
    incoming?.accept();
    await Promise.all([reaches(outgoing, 'over'), reaches(incoming, 'over')]);
    const reason = how === 'cancel' ? 'cancelled' : 'declined';
    expect([outgoing.state, incoming?.state]).toEqual([
      { is: 'over', reason },
      { is: 'over', reason },
    ]);
    const until = frames();
    await settled();
    expect(frames()).toBe(until);
    expect(until).toBeLessThan((20 * blockBytes) / frameBytes);
  });

  it('that was changed on its way is not kept', async () => {
    const { a, offered, spoil } = pair();
    let frame = 0;
    spoil.frame = (bytes) => {
      frame += 1;
      const copy = new Uint8Array(bytes.slice());
      if (frame === 20) copy[99] = (copy[99] ?? 0) ^ 1;
      return copy.buffer;
    };
    const outgoing = a.offer('other', fileOf(3 * blockBytes));
    await settled();
    offered[0]?.accept();
    await Promise.all([reaches(outgoing, 'over'), reaches(offered[0], 'over')]);
    expect(outgoing.state).toEqual({ is: 'over', reason: 'damaged' });
    expect(offered[0]?.state).toEqual({ is: 'over', reason: 'damaged' });
    expect(offered[0]?.progress).toBe(blockBytes);
  });

  it('waits for a path that is slow', async () => {
    const { a, offered, spoil, frames } = pair();
    let open = (): void => {};
    spoil.ready = () => (frames() < 5 ? Promise.resolve() : new Promise((resolve) => (open = resolve)));
    a.offer('other', fileOf(blockBytes));
    await settled();
    offered[0]?.accept();
    await vi.waitFor(() => expect(frames()).toBe(5));
    await settled();
    expect(frames()).toBe(5);
    spoil.ready = () => Promise.resolve();
    open();
    await reaches(offered[0], 'done');
  });
});

describe('a connection that is replaced', () => {
  it('goes on with the first block that is not whole', async () => {
    const { a, offered, replace, frames } = pair();
    const file = fileOf(8 * blockBytes + 5);
    const outgoing = a.offer('other', file);
    const states: string[] = [];
    outgoing.on('state', ({ is }) => states.push(is));
    await settled();
    const [incoming] = offered;
    let cuts = 0;
    incoming?.on('progress', () => {
      cuts += 1;
      if (cuts === 2 || cuts === 5) replace();
    });
    incoming?.accept();
    await Promise.all([reaches(outgoing, 'done'), reaches(incoming, 'done')]);
    expect((await bytesOf(received(incoming))).equals(await bytesOf(file))).toBe(true);
    expect(states).toEqual(['running', 'paused', 'running', 'paused', 'running', 'done']);
    // All of it once, and of each attempt that was cut off at most what had run ahead.
    expect(frames()).toBeLessThan(2 * (8 * 16 + 1));
    expect(offered).toHaveLength(1);
  });

  it('offers again what was not answered, and asks for what was accepted meanwhile', async () => {
    const { a, offered, replace } = pair();
    replace();
    const outgoing = a.offer('other', fileOf(5 * blockBytes));
    replace();
    await settled();
    expect(offered).toHaveLength(1);
    replace();
    // The offer that comes again finds it accepted, and has it asked for twice.
    offered[0]?.accept();
    await reaches(outgoing, 'done');
    await reaches(offered[0], 'done');
  });

  it('tells both how it ended when that was lost', async () => {
    const { a, offered, replace, spoil } = pair();
    const outgoing = a.offer('other', fileOf(10));
    await settled();
    const [incoming] = offered;
    incoming?.on('state', ({ is }) => is === 'done' && replace());
    incoming?.accept();
    await Promise.all([reaches(outgoing, 'done'), reaches(incoming, 'done')]);
    const second = a.offer('other', fileOf(10));
    await settled();
    offered[1]?.decline();
    replace();
    await reaches(second, 'over');
    expect(second.state).toEqual({ is: 'over', reason: 'declined' });
    expect(spoil).toBeDefined();
  });

  it('with another page at its end lets go of what that one had promised', async () => {
    const { a, one, other, offered } = pair();
    a.offer('other', fileOf(10));
    await settled();
    offered[0]?.accept();
    one.emitter.emit('state', { is: 'over', code: 'left' });
    other.emitter.emit('data', { from: 'one', data: '{"files":[]}' });
    expect(offered[0]?.state).toEqual({ is: 'over', reason: 'left' });
  });
});

it('that was offered before the other page cared is offered again when it does', async () => {
  const { a, b, other } = pair();
  b.close();
  const outgoing = a.offer('other', fileOf(10));
  await settled();
  const seen: Incoming[] = [];
  files(other).on('file', (file) => seen.push(file));
  await settled();
  await settled();
  expect(seen).toHaveLength(1);
  seen[0]?.accept();
  await reaches(outgoing, 'done');
});

it('needs a peer that is here, and a secure context', () => {
  const { a, one } = pair();
  expect(a.offer('nobody', fileOf(10)).state).toEqual({ is: 'over', reason: 'left' });
  vi.stubGlobal('crypto', {});
  expect(() => files(one)).toThrow('secure context');
  vi.unstubAllGlobals();
});

describe('ends', () => {
  it('with the peer', async () => {
    const { a, one, other, offered } = pair();
    const outgoing = a.offer('other', fileOf(10));
    await settled();
    const gone = (id: string) => ({ peer: { id } as RoomEvents['peer-added'], reason: 'left' as const });
    one.emitter.emit('peer-removed', gone('somebody else'));
    expect(outgoing.state).toEqual({ is: 'offered' });
    one.emitter.emit('peer-removed', gone('other'));
    other.emitter.emit('peer-removed', gone('one'));
    expect([outgoing.state, offered[0]?.state]).toEqual(Array(2).fill({ is: 'over', reason: 'left' }));
  });

  it('with the room, and listens to nothing any more', async () => {
    const { a, one } = pair();
    const outgoing = a.offer('other', fileOf(10));
    one.emitter.emit('state', { is: 'over', code: 'left' });
    expect(outgoing.state).toEqual({ is: 'over', reason: 'left' });
    expect(one.listeners()).toBe(0);
  });
});

describe('from strangers', () => {
  it('a name is nothing but a name', async () => {
    const { other, offered } = pair();
    const offer = { file: 1, is: 'offer', name: '../..\\etc/pass\u202Ewd\n', size: 1, type: '' };
    other.emitter.emit('data', { from: 'one', data: JSON.stringify(offer) });
    expect(offered[0]?.name).toBe('.._.._etc_pass_wd_');
  });

  it('there are not too many offers', () => {
    const { other, offered, sent } = pair();
    for (let file = 1; file <= 20; file++) {
      const data = JSON.stringify({ file, is: 'offer', name: 'x', size: 1, type: '' });
      other.emitter.emit('data', { from: 'one', data });
    }
    expect(offered).toHaveLength(8);
    expect(sent.filter((said) => String(said).includes('declined'))).toHaveLength(12);
  });

  it('more than was announced is refused', async () => {
    const { other, offered } = pair();
    await settled();
    const offer = { file: 1, is: 'offer', name: 'x', size: 10, type: '' };
    other.emitter.emit('data', { from: 'one', data: JSON.stringify(offer) });
    offered[0]?.accept();
    await settled();
    other.emitter.emit('data', { from: 'one', data: '{"file":1,"is":"begin","ask":1}' });
    other.emitter.emit('data', { from: 'one', data: Uint8Array.of(0, 0, 0, 1, ...Array(11).fill(7)).buffer });
    expect(offered[0]?.state).toEqual({ is: 'over', reason: 'damaged' });
  });

  it.each([
    'null',
    '{',
    '7',
    '{"file":1}',
    '{"file":1,"is":"accept"}',
    '{"file":1,"is":"accept","at":-1}',
    '{"file":1,"is":"accept","at":1e9}',
    '{"file":1,"is":"got","at":"5"}',
    '{"file":{},"is":"offer"}',
    '{"file":2,"is":"offer","name":"x","size":-1,"type":""}',
    '{"file":2,"is":"offer","name":7,"size":1,"type":""}',
    '{"file":1,"is":"hologram"}',
    new ArrayBuffer(0),
    new ArrayBuffer(3),
    new ArrayBuffer(40_000),
  ])('nonsense is ignored: %s', async (data) => {
    const { a, one, other, offered } = pair();
    vi.spyOn(crypto, 'getRandomValues').mockImplementationOnce((array) => {
      (array as Uint32Array)[0] = 1;
      return array;
    });
    const outgoing = a.offer('other', fileOf(10));
    await settled();
    one.emitter.emit('data', { from: 'other', data });
    other.emitter.emit('data', { from: 'one', data });
    await settled();
    expect([outgoing.state, offered.length]).toEqual([{ is: 'offered' }, 1]);
  });
});
