/** What unknown peers may send about files, and its effect. */
import { describe, expect, it, vi } from 'vitest';
import { rateLimits } from '../../app/client/allowance.ts';
import { FileTransfers, mostOver } from '../../app/client/page/chat/file-transfers.ts';
import type { Room } from '../../app/client/room.ts';
import { blockBytes, frameBytes } from '../../app/client/transfer.ts';
import { settled } from './fake-clock.ts';
import { fileOf, pair, reaches, received } from './file-pair.ts';

describe('of unknown peers', () => {
  it.each([
    ['../..\\etc/pass\u202Ewd\n', '.._.._etc_pass_wd_'],
    ['photo.jpg\u3164\u200b\u2028.exe', 'photo.jpg___.exe'],
    ['\u200d\ufe0f ', '_'],
    ['\ud800\u2800', '__'],
    [`😀${'x'.repeat(254)}`, `_${'x'.repeat(254)}`],
    ['', '_'],
    ['عکس‌ها 👩‍💻.png', 'عکس‌ها 👩‍💻.png'],
  ])('a name cannot contain a path, control characters or invisible ones: %j', (name, shown) => {
    const { other, offered } = pair();
    other.hear('one', JSON.stringify({ file: 1, is: 'offer', name, size: 1, type: '' }));
    expect(offered[0]?.name).toBe(shown);
  });

  it('the number of offers is limited', () => {
    const { other, offered, sent } = pair();
    for (let file = 1; file <= 20; file++) {
      const data = JSON.stringify({ file, is: 'offer', name: 'x', size: 1, type: '' });
      other.hear('one', data);
    }
    expect(offered).toHaveLength(8);
    expect(sent.filter((text) => String(text).includes('declined'))).toHaveLength(12);
  });

  it('more bytes than announced are refused', async () => {
    const { other, offered } = pair();
    await settled();
    const offer = { file: 1, is: 'offer', name: 'x', size: 10, type: '' };
    other.hear('one', JSON.stringify(offer));
    offered[0]?.accept();
    await settled();
    other.hear('one', '{"file":1,"is":"begin","ask":1}');
    other.hear('one', Uint8Array.of(0, 0, 0, 1, ...Array(11).fill(7)).buffer);
    expect(offered[0]?.state).toEqual({ state: 'closed', reason: 'damaged' });
  });

  /** An accepted file of two blocks from an unknown peer, and the start that it requested. */
  const accepted = async (size = 2 * blockBytes) => {
    const { other, offered, sent } = pair();
    await settled();
    const say = (word: object) => other.hear('one', JSON.stringify({ file: 1, ...word }));
    const send = (length: number) => other.hear('one', Uint8Array.of(0, 0, 0, 1, ...Array(length).fill(7)).buffer);
    say({ is: 'offer', name: 'x', size, type: '' });
    offered[0]?.accept();
    await settled();
    say({ is: 'begin', ask: 1 });
    return { other, offered, sent, say, send };
  };

  it.each<[string, (one: Awaited<ReturnType<typeof accepted>>) => void]>([
    ['an empty frame', ({ send }) => send(0)],
    ['a frame that is too long', ({ send }) => send(frameBytes + 1)],
    ['a block without bytes', ({ say }) => say({ is: 'block', hash: 'x' })],
    ['a small block', ({ say, send }) => [send(1), say({ is: 'block', hash: 'x' })]],
    [
      'a block that does not end',
      ({ send }) => {
        for (let sent = 0; sent <= blockBytes; sent += frameBytes) send(frameBytes);
      },
    ],
  ])('%s is not counted and ends the transfer', async (_, misbehave) => {
    const one = await accepted();
    misbehave(one);
    expect(one.offered[0]?.state).toEqual({ state: 'closed', reason: 'damaged' });
  });

  it('an offer is accepted once, and one reader at a time reads the file', async () => {
    const { a, one, offered, spoil, sent } = pair();
    const slice = vi.spyOn(File.prototype, 'slice');
    const path = { open: (): void => {} };
    spoil.ready = () => new Promise((resolve) => (path.open = resolve));
    const outgoing = a.offer('other', fileOf(2 * blockBytes));
    for (let ask = 1; ask <= 200; ask += 1)
      one.hear('other', JSON.stringify({ file: outgoing.id, is: 'accept', at: 0, ask }));
    await settled();
    const begun = () => sent.filter((text) => String(text).includes('begin')).length;
    expect([begun(), outgoing.state]).toEqual([1, { state: 'running' }]);
    await vi.waitFor(() => expect(slice).toHaveBeenCalledTimes(1));
    // A peer that reports no open files gets the offer again, as long as it has not accepted it.
    for (let index = 0; index < 200; index += 1) one.hear('other', '{"files":[]}');
    expect(sent.filter((text) => String(text).includes('offer')).length).toBe(1);
    one.emitter.emit('channel', 'other');
    one.hear('other', JSON.stringify({ file: outgoing.id, is: 'accept', at: 0, ask: 201 }));
    await settled();
    expect([begun(), slice.mock.calls.length]).toEqual([2, 1]);
    spoil.ready = () => Promise.resolve();
    path.open();
    await vi.waitFor(() => expect(slice.mock.calls.length).toBeGreaterThan(1));
    slice.mockRestore();
    expect(offered).toHaveLength(1);
  });

  it('progress is accepted only for whole blocks that were sent, and once', async () => {
    const { a, one, spoil } = pair();
    spoil.ready = () => new Promise(() => {});
    const outgoing = a.offer('other', fileOf(3 * blockBytes));
    const progress: number[] = [];
    outgoing.on('progress', (bytes) => progress.push(bytes));
    const say = (word: object) => one.hear('other', JSON.stringify({ file: outgoing.id, ...word }));
    for (const at of [1, 3 * blockBytes, blockBytes]) say({ is: 'accept', at, ask: 1 });
    for (const ask of ['1', {}, -1, 1.5]) say({ is: 'accept', at: 0, ask });
    expect(outgoing.state).toEqual({ state: 'offered' });
    say({ is: 'accept', at: 0, ask: 1 });
    for (let at = 1; at <= 900; at += 1) say({ is: 'got', at });
    for (const at of [blockBytes, 3 * blockBytes]) say({ is: 'got', at });
    expect([progress, outgoing.state]).toEqual([[0], { state: 'running' }]);
  });

  it('a finished transfer is forgotten, except for the reply to a repeated offer', async () => {
    const { other, offered, sent, say } = await accepted(10);
    offered[0]?.decline();
    sent.length = 0;
    say({ is: 'begin', ask: 1 });
    say({ is: 'block', hash: 'x' });
    say({ is: 'cancel' });
    other.hear('one', Uint8Array.of(0, 0, 0, 1, 7).buffer);
    expect(sent).toEqual([]);
    say({ is: 'offer', name: 'x', size: 10, type: '' });
    expect([sent, offered.length]).toEqual([[JSON.stringify({ file: 1, is: 'decline', reason: 'declined' })], 1]);
  });

  it('offers that are cancelled at once are shown a few times', () => {
    const { other, offered } = pair();
    for (let file = 1; file <= 1_000; file += 1) {
      other.hear('one', JSON.stringify({ file, is: 'offer', name: 'x', size: 1, type: '' }));
      other.hear('one', JSON.stringify({ file, is: 'cancel' }));
    }
    expect(offered).toHaveLength(rateLimits.file[0]);
  });

  it('the page shows the last failed offers, and all others', () => {
    vi.stubGlobal('isSecureContext', true);
    const time = vi.spyOn(performance, 'now');
    const { other } = pair();
    const shares = new FileTransfers(
      other as unknown as Room,
      () => 'Ada',
      () => {},
      () => {},
    );
    for (let file = 1; file <= 200; file += 1) {
      time.mockReturnValue(file * 10_000);
      other.hear('one', JSON.stringify({ file, is: 'offer', name: `${file}`, size: 1, type: '' }));
      if (file > 1) other.hear('one', JSON.stringify({ file, is: 'cancel' }));
    }
    expect(shares.all.map(({ file }) => file.name)).toEqual([
      '1',
      ...Array.from({ length: mostOver + 1 }, (_, index) => `${200 - mostOver + index}`),
    ]);
    time.mockRestore();
    vi.unstubAllGlobals();
  });

  it.each([
    ['image/png', 'image/png'],
    ['video/webm', 'video/webm'],
    ['text/plain', 'text/plain'],
    ['', 'application/octet-stream'],
    ['text/html', 'application/octet-stream'],
    ['image/svg+xml', 'application/octet-stream'],
    ['application/xhtml+xml', 'application/octet-stream'],
    ['application/pdf', 'application/octet-stream'],
    ['text/javascript', 'application/octet-stream'],
    ['image/png, text/html', 'application/octet-stream'],
    ['text/html\nimage/png', 'application/octet-stream'],
    ['image/png\n', 'application/octet-stream'],
  ])('a file declared as %j is received as %j', async (type, here) => {
    const { a, offered } = pair();
    a.offer('other', { ...fileOf(0), size: 0, name: 'x', type } as File);
    await settled();
    offered[0]?.accept();
    await reaches(offered[0], 'done');
    expect([offered[0]?.type, received(offered[0])?.type]).toEqual([here, here]);
  });

  it('a name or a type that is too long is truncated, not refused', async () => {
    const { a, offered } = pair();
    a.offer('other', new File(['x'], `${'\u0001'.repeat(5_000)}.txt`, { type: `text/${'x'.repeat(5_000)}` }));
    await settled();
    expect(offered[0]?.name).toBe(`${'_'.repeat(251)}.txt`);
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
  ])('a malformed message is ignored: %s', async (data) => {
    const { a, one, other, offered } = pair();
    vi.spyOn(crypto, 'getRandomValues').mockImplementationOnce((array) => {
      (array as Uint32Array)[0] = 1;
      return array;
    });
    const outgoing = a.offer('other', fileOf(10));
    await settled();
    one.hear('other', data);
    other.hear('one', data);
    await settled();
    expect([outgoing.state, offered.length]).toEqual([{ state: 'offered' }, 1]);
  });
});
