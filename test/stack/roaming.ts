/** Peers that reconnect whatever happens to servers and store, and pairs of them that count their messages. */
import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'vitest';
import { WebSocketPeer } from '../../app/conform/peers.ts';

/** ms after which a peer gives up reconnecting, and after which an unacknowledged message is sent again. */
const patience = { back: 40_000, again: 1500 };

export class RoamingPeer extends WebSocketPeer {
  /** Close codes that it received, and the `recovered` of each join. */
  readonly codes: number[] = [];
  readonly recovered: boolean[] = [];

  override async resume() {
    if (this.closed) this.codes.push(this.closed.code);
    for (const until = Date.now() + patience.back; ; await sleep(200)) {
      try {
        const joined = await super.resume();
        this.recovered.push(joined.recovered);
        return joined;
      } catch (error) {
        if (Date.now() > until) throw error;
        this.dispose();
      }
    }
  }
}

/** Two peers of one room, of which the first sends numbers from 1 on until it is stopped, and the second receives them. */
export const converse = async (base: string, room: string) => {
  const [speaker, listener] = [new RoamingPeer(base, room), new RoamingPeer(base, room)];
  for (const peer of [speaker, listener]) await peer.join();
  let going = true;
  const settled = () => Math.max(0, ...speaker.inbox.of('ack').map(({ n }) => n));
  const speak = async (): Promise<number> => {
    let n = 0;
    while (going) {
      n += 1;
      while (settled() < n) {
        await speaker.send({ type: 'chat', n, text: `${n}` });
        const late = Date.now() + patience.again;
        while (settled() < n && !speaker.closed && Date.now() < late) await sleep(5);
        if (speaker.closed) await speaker.resume();
      }
      await sleep(20);
    }
    return n;
  };
  const spoken = speak();
  const hear = async (count: number): Promise<string[]> => {
    const texts = () => listener.inbox.of('chat').map(({ text }) => text);
    for (const until = Date.now() + patience.back; texts().at(-1) !== `${count}` && Date.now() < until; await sleep(20))
      if (listener.closed) await listener.resume();
    return texts();
  };
  const watching = setInterval(() => {
    if (listener.closed && going) void back();
  }, 50);
  let coming: Promise<unknown> | undefined;
  const back = () => {
    coming ??= listener.resume().finally(() => {
      coming = undefined;
    });
    return coming;
  };
  return {
    speaker,
    listener,
    /** The last acknowledged number. */
    settled,
    /** Ends it. No acknowledged message is lost or duplicated, and no peer was reported as left. */
    async end(): Promise<{ sent: number }> {
      going = false;
      clearInterval(watching);
      const sent = await spoken;
      await coming;
      expect(await hear(sent)).toEqual(Array.from({ length: sent }, (_, index) => `${index + 1}`));
      for (const peer of [speaker, listener]) {
        expect(peer.recovered.filter((recovered) => !recovered)).toEqual([]);
        // Earlier peers of this room may time out.
        const own = peer.inbox.of('peer-left').filter(({ peer: id }) => id === speaker.id || id === listener.id);
        expect(own).toEqual([]);
        peer.dispose();
      }
      return { sent };
    },
  };
};
