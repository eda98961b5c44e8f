/** Peers that continue to send whatever happens to the server, and count. */
import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'vitest';
import type { WebSocketPeer } from '../../app/conform/peers.ts';

const beat = 5;

/** Sends texts 1 to `count`, `atOnce` in flight at a time; after a loss sends the unsettled ones again. */
export const talk = async (peer: WebSocketPeer, count: number, { atOnce = 16, pause = 0 } = {}): Promise<void> => {
  const settled = () => Math.max(0, ...peer.inbox.of('ack').map(({ n }) => n));
  while (settled() < count) {
    const from = settled();
    for (let n = from + 1; n <= Math.min(count, from + atOnce); n += 1)
      await peer.send({ type: 'chat', n, text: `${n}` });
    while (settled() === from && !peer.closed) await sleep(beat);
    if (pause > 0) await sleep(pause);
    await comeBack(peer);
  }
};

/**
 * Receives until the `last` text, which may be extended later.
 * @returns all of them, as received
 */
export const follow = async (peer: WebSocketPeer, last: string | Promise<string>): Promise<string[]> => {
  const texts = () => peer.inbox.of('chat').map(({ text }) => text);
  let end: string | undefined;
  void Promise.resolve(last).then((text) => {
    end = text;
  });
  while (end === undefined || texts().at(-1) !== end) {
    await comeBack(peer);
    await sleep(beat);
  }
  return texts();
};

export const upTo = (count: number): string[] => Array.from({ length: count }, (_, index) => `${index + 1}`);

const comeBack = async (peer: WebSocketPeer): Promise<void> => {
  if (peer.closed) expect(await peer.resume()).toMatchObject({ recovered: true });
};
