/** The call sequence of earlier projects, with plain HTTP requests alone: enter, move, sdp, check, leave. */
import { expect, test } from 'vitest';
import { HttpPeer } from '../../app/conform/peers.ts';
import type { ServerMessage } from '../../app/protocol/messages.ts';

/** A peer that polls only on request, like `send:check` of the earlier projects. */
class Checking extends HttpPeer {
  #after = 0;

  async enter(): Promise<boolean> {
    const { json } = await this.post('join', {});
    this.inbox.put(json);
    const joined = this.entered(await this.inbox.take('joined'));
    this.#after = joined.seq;
    return joined.peers.some(({ initiator }) => initiator);
  }

  async check(): Promise<ServerMessage[]> {
    const { status, json } = await this.poll(0, undefined, this.#after);
    expect(status).toBe(200);
    this.#after = Number(json.seq);
    const before = this.inbox.all.length;
    if (Array.isArray(json.messages)) for (const message of json.messages) this.inbox.put(message);
    return this.inbox.all.slice(before);
  }
}

export const describeAncestors = (name: string, site: () => string): void => {
  test(`the call sequence of earlier projects, ${name}`, async () => {
    const room = `ancestors-${process.pid}-${name.length}`;
    const [a, b] = [new Checking(site(), room), new Checking(site(), room)];

    expect(await a.enter(), 'A is not the initiator').toBe(false);
    expect(await b.enter(), 'B is the initiator').toBe(true);
    const epoch = b.inbox.of('joined')[0]?.peers[0]?.epoch ?? 0;

    await b.send({ type: 'signal', to: a.id, epoch, data: { type: 'offer', sdp: 'v=0 of B' } });
    expect(await a.check()).toMatchObject([
      { type: 'peer-joined', peer: { id: b.id, initiator: false, epoch } },
      { type: 'signal', from: b.id, epoch, data: { type: 'offer', sdp: 'v=0 of B' } },
    ]);

    await a.send({ type: 'signal', to: b.id, epoch, data: { type: 'answer', sdp: 'v=0 of A' } });
    expect(await b.check()).toMatchObject([{ type: 'signal', from: a.id, data: { type: 'answer' } }]);

    await a.send({ type: 'signal', to: b.id, epoch, data: { candidate: 'of A' } });
    await b.send({ type: 'signal', to: a.id, epoch, data: { candidate: 'of B' } });
    expect(await a.check()).toMatchObject([{ data: { candidate: 'of B' } }]);
    expect(await b.check()).toMatchObject([{ data: { candidate: 'of A' } }]);
    expect(await a.check(), 'nothing comes twice').toEqual([]);

    await b.leave();
    expect(await a.check()).toMatchObject([{ type: 'peer-left', peer: b.id, reason: 'left' }]);
    await a.leave();
    expect((await a.poll()).status, 'a peer that has left has no session').toBe(401);
  });
};
