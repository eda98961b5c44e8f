import { expect, it } from 'vitest';
import { Channel } from '../../app/client/channel.ts';
import { settled } from './fake-clock.ts';
import { FakeChannel } from './fake-rtc.ts';

const start = () => {
  const far = new FakeChannel();
  const received: unknown[] = [];
  const asked: unknown[] = [];
  const pc = {
    createDataChannel: (...given: unknown[]) => {
      asked.push(given);
      return far as unknown as RTCDataChannel;
    },
  };
  const channel = new Channel(pc, { opened: () => received.push('open'), heard: (data) => received.push(data) });
  return { far, channel, received, asked };
};
/** Which of these have settled by now. */
const done = async (...promises: Promise<void>[]) => {
  const settledOnes = promises.map(() => false);
  promises.forEach((promise, index) => void promise.then(() => (settledOnes[index] = true)));
  await settled();
  return settledOnes;
};

it('both ends create it under the same id, and nothing is sent before it is open', () => {
  const { far, channel, received, asked } = start();
  expect(asked).toEqual([['genkan', { negotiated: true, id: 0 }]]);
  expect(channel.send('early')).toBe(false);
  far.open();
  expect(channel.send('now')).toBe(true);
  far.onmessage?.({ data: 'back' });
  expect([far.sent, received]).toEqual([['now'], ['open', 'back']]);
});

it('all senders wait while much is buffered, until little is', async () => {
  const { far, channel } = start();
  far.open();
  expect(await done(channel.ready())).toEqual([true]);
  far.bufferedAmount = 262_144;
  const waiting = [channel.ready(), channel.ready()];
  expect(await done(...waiting)).toEqual([false, false]);
  far.bufferedAmount = 65_536;
  far.onbufferedamountlow?.();
  expect(await done(...waiting)).toEqual([true, true]);
});

it.each(['close', 'onclose'] as const)('no sender waits for a closed channel: %s', async (how) => {
  const { far, channel } = start();
  far.open();
  far.bufferedAmount = 1_000_000;
  const waiting = channel.ready();
  if (how === 'close') channel.close();
  else far.onclose?.();
  expect(await done(waiting)).toEqual([true]);
  if (how === 'close') expect(await done(channel.ready())).toEqual([true]);
});
