/** A peer that receives no events while others send does not fall off the end of the log. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { eventStream, plainHttp, webSocket } from '../../app/conform/transports.ts';
import { type Site, startSite } from './site.ts';
import { specSettings } from './spec.ts';

let site: Site;
beforeAll(async () => {
  site = await startSite(specSettings);
});
afterAll(() => site.stop());

test.concurrent.each([webSocket, plainHttp, eventStream])(
  'by $name, an idle peer gets reached before its place in the log is dropped',
  async ({ peer, name }) => {
    const at = () => peer(site.direct.http, `reached-${name}`);
    const [one, other, quiet] = [at(), at(), at()];
    await one.join();
    const epoch = (await other.join()).peers[0]?.epoch;
    await quiet.join();
    await one.inbox.take('peer-joined');
    // More than twice what the log of 16 keeps, and then a few that it does keep.
    for (let n = 1; n <= 40; n += 1) {
      await one.send({ type: 'signal', to: other.id, epoch, data: n });
      await other.inbox.take('signal');
    }
    await one.send({ type: 'ping' });
    await one.inbox.take('pong');
    await quiet.cut();
    await one.inbox.take('peer-away');
    await one.send({ type: 'chat', text: 'for all' });
    expect(await quiet.resume()).toMatchObject({ recovered: true });
    expect(await quiet.inbox.take('chat')).toMatchObject({ text: 'for all' });
    for (const left of [one, other, quiet]) left.dispose();
  },
);
