import { describe, expect, it, vi } from 'vitest';
import { files } from '../../app/client/files.ts';
import type { Incoming } from '../../app/client/incoming.ts';
import type { RoomEvents } from '../../app/client/room.ts';
import { blockBytes, frameBytes } from '../../app/client/transfer.ts';
import { settled } from './fake-clock.ts';
import { bytesOf, fileOf, pair, reaches, received } from './file-pair.ts';

describe('a file', () => {
  it.each([0, 1, frameBytes, frameBytes + 1, blockBytes, 3 * blockBytes + 12_345])(
    'of %i bytes arrives unchanged',
    async (size) => {
      const { a, offered } = pair();
      const file = fileOf(size, '写真 1.jpg');
      const outgoing = a.offer('other', file);
      await settled();
      const [incoming] = offered;
      expect(incoming).toMatchObject({
        name: '写真 1.jpg',
        size,
        type: 'application/octet-stream',
        peer: 'one',
        progress: 0,
      });
      const progress: number[] = [];
      outgoing.on('progress', (bytes) => progress.push(bytes));
      incoming?.accept();
      await Promise.all([reaches(outgoing, 'done'), reaches(incoming, 'done')]);
      const copy = received(incoming);
      expect([copy?.name, copy?.type, copy?.size]).toEqual([file.name, 'application/octet-stream', size]);
      expect((await bytesOf(copy)).equals(await bytesOf(file))).toBe(true);
      expect(progress).toEqual(progress.toSorted((x, y) => x - y));
      expect([outgoing.progress, incoming?.progress]).toEqual([size, size]);
    },
  );

  it('is not sent before it is accepted, and never when it is declined', async () => {
    const { a, offered, frames } = pair();
    const outgoing = a.offer('other', fileOf(10));
    await settled();
    offered[0]?.decline();
    offered[0]?.accept();
    await settled();
    expect(outgoing.state).toEqual({ state: 'closed', reason: 'declined' });
    expect(frames()).toBe(0);
  });

  it('that is too large is refused by either side', async () => {
    const { a, b, offered } = pair({ limit: 100 });
    expect(() => a.offer('other', fileOf(101))).toThrow(new RangeError('the file has more than 100 bytes'));
    b.close();
    const small = pair({ limit: 100 });
    const generous = files(small.one, { limit: 1_000 });
    const outgoing = generous.offer('other', fileOf(101));
    await reaches(outgoing, 'closed');
    expect(outgoing.state).toEqual({ state: 'closed', reason: 'too-large' });
    expect([offered, small.offered]).toEqual([[], []]);
  });

  it.each(['cancel', 'decline'] as const)('stops on both sides in the middle by %s', async (how) => {
    const { a, offered, frames } = pair();
    const outgoing = a.offer('other', fileOf(20 * blockBytes));
    await settled();
    const [incoming] = offered;
    incoming?.on('progress', () => (how === 'cancel' ? outgoing.cancel() : incoming.decline()));
    incoming?.accept();
    await Promise.all([reaches(outgoing, 'closed'), reaches(incoming, 'closed')]);
    const reason = how === 'cancel' ? 'cancelled' : 'declined';
    expect([outgoing.state, incoming?.state]).toEqual([
      { state: 'closed', reason },
      { state: 'closed', reason },
    ]);
    const until = frames();
    await settled();
    expect(frames()).toBe(until);
    expect(until).toBeLessThan((20 * blockBytes) / frameBytes);
  });

  it('that was changed in transit is not kept', async () => {
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
    await Promise.all([reaches(outgoing, 'closed'), reaches(offered[0], 'closed')]);
    expect(outgoing.state).toEqual({ state: 'closed', reason: 'damaged' });
    expect(offered[0]?.state).toEqual({ state: 'closed', reason: 'damaged' });
    expect(offered[0]?.progress).toBe(blockBytes);
  });

  it('waits for a slow path', async () => {
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

describe('a replaced connection', () => {
  it('continues with the first incomplete block', async () => {
    const { a, offered, replace, frames } = pair();
    const file = fileOf(8 * blockBytes + 5);
    const outgoing = a.offer('other', file);
    const states: string[] = [];
    outgoing.on('state', ({ state: is }) => states.push(is));
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
    // All of it once, and of each interrupted attempt at most what was sent ahead.
    expect(frames()).toBeLessThan(2 * (8 * 16 + 1));
    expect(offered).toHaveLength(1);
  });

  it('offers unanswered files again, and requests those accepted meanwhile', async () => {
    const { a, offered, replace } = pair();
    replace();
    const outgoing = a.offer('other', fileOf(5 * blockBytes));
    replace();
    await settled();
    expect(offered).toHaveLength(1);
    replace();
    // The repeated offer finds it accepted, and requests it again.
    offered[0]?.accept();
    await reaches(outgoing, 'done');
    await reaches(offered[0], 'done');
  });

  it('repeats a lost final status to both sides', async () => {
    const { a, offered, replace, spoil } = pair();
    const outgoing = a.offer('other', fileOf(10));
    await settled();
    const [incoming] = offered;
    incoming?.on('state', ({ state: is }) => is === 'done' && replace());
    incoming?.accept();
    await Promise.all([reaches(outgoing, 'done'), reaches(incoming, 'done')]);
    const second = a.offer('other', fileOf(10));
    await settled();
    offered[1]?.decline();
    replace();
    await reaches(second, 'closed');
    expect(second.state).toEqual({ state: 'closed', reason: 'declined' });
    expect(spoil).toBeDefined();
  });

  it('to another page ends the transfers accepted from the earlier page', async () => {
    const { a, one, other, offered } = pair();
    a.offer('other', fileOf(10));
    await settled();
    offered[0]?.accept();
    one.emitter.emit('state', { state: 'closed', code: 'left' });
    other.hear('one', '{"files":[]}');
    expect(offered[0]?.state).toEqual({ state: 'closed', reason: 'left' });
  });
});

it('a file offered before the other page listened is offered again when it does', async () => {
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

it('files require a present peer and a secure context', () => {
  const { a, one } = pair();
  expect(a.offer('nobody', fileOf(10)).state).toEqual({ state: 'closed', reason: 'left' });
  vi.stubGlobal('crypto', {});
  expect(() => files(one)).toThrow('secure context');
  vi.unstubAllGlobals();
});

describe('transfers end', () => {
  it('with the peer', async () => {
    const { a, one, other, offered } = pair();
    const outgoing = a.offer('other', fileOf(10));
    await settled();
    const gone = (id: string) => ({ peer: { id } as RoomEvents['peer-joined'], reason: 'left' as const });
    one.emitter.emit('peer-left', gone('somebody else'));
    expect(outgoing.state).toEqual({ state: 'offered' });
    one.emitter.emit('peer-left', gone('other'));
    other.emitter.emit('peer-left', gone('one'));
    expect([outgoing.state, offered[0]?.state]).toEqual(Array(2).fill({ state: 'closed', reason: 'left' }));
  });

  it('with the room, after which nothing is listened to', async () => {
    const { a, one } = pair();
    const outgoing = a.offer('other', fileOf(10));
    one.emitter.emit('state', { state: 'closed', code: 'left' });
    expect(outgoing.state).toEqual({ state: 'closed', reason: 'left' });
    expect(one.listeners()).toBe(0);
  });
});
