/** A session when the server itself fails: the client gets a close code to reconnect, and the peer is shown as away meanwhile. */
import { expect, test } from 'vitest';
import { type ErrorCode, errors, refuse } from '../../app/protocol/errors.ts';
import { wholeText } from '../../app/signaling/encode.ts';
import { byeMessage, closeCode } from '../../app/signaling/handle-message.ts';
import type { MessageWriter } from '../../app/signaling/message-writer.ts';
import { Session } from '../../app/signaling/session.ts';
import type { Store } from '../../app/store/store.ts';
import { eventually } from '../listener/uwsgi/finish.ts';
import { testContext } from './test-context.ts';

/** A writer that records all texts and close codes. */
const recorder = () => {
  const sent: string[] = [];
  const closed: number[] = [];
  const writer: MessageWriter = {
    send: (text) => sent.push(wholeText(text)) > 0,
    close(code, _reason, last) {
      sent.push(...last);
      closed.push(code);
    },
  };
  return { sent, closed, writer };
};

const turn = () => new Promise((resolve) => setImmediate(resolve));

test.each(['now', 'later'])('a command that fails %s ends the connection, and its peer is away', async (when) => {
  const { commitNow, ...kept } = testContext().store;
  let failures = 0;
  const failing = (): boolean => failures-- > 0;
  const store: Store = {
    ...kept,
    commit: (room, command) => (failing() ? Promise.reject(new Error('out of reach')) : kept.commit(room, command)),
  };
  if (when === 'now')
    store.commitNow = (room, command) => {
      if (failing() || !commitNow) throw new Error('out of reach');
      return commitNow(room, command);
    };
  const warned: string[] = [];
  const signaling = testContext({ store, log: { info: () => {}, warn: (_fields, message) => warned.push(message) } });
  const { sent, closed, writer } = recorder();
  const session = new Session(signaling, 'room', writer, { address: '192.0.2.1' });
  session.receive('{"type":"join"}');
  await turn();
  const events: unknown[] = [];
  kept.subscribe('room', ({ event }) => events.push(event));

  failures = 1;
  session.receive('{"type":"chat","n":1,"text":"x"}');
  await turn();
  session.lost();
  await turn();
  expect(JSON.parse(sent.at(-1) ?? '{}')).toMatchObject({ type: 'bye', code: 'internal', retry: 2000 });
  expect(closed).toEqual([4005]);
  expect(warned).toHaveLength(1);
  expect(events).toMatchObject([{ type: 'peer-away' }]);
});

test.each(['chat', 'passcode'])('a reply to %s that cannot be sent ends the session', async (type) => {
  const context = testContext();
  const { commitNow: _, ...store } = context.store;
  const warned: unknown[] = [];
  const signaling = { ...context, store, log: { info: () => {}, warn: (fields: object) => void warned.push(fields) } };
  const closed: string[] = [];
  const writer: MessageWriter = {
    send(text) {
      if (wholeText(text).includes('"error"')) throw new Error('broken');
      return true;
    },
    close: (_code, reason) => void closed.push(reason),
  };
  const session = new Session(signaling, 'room', writer, { address: '192.0.2.1' });
  session.receive('{"type":"join"}');
  await eventually(() => expect(session.lastPeer).toBeDefined());
  // Refused, because its number is not the next one.
  session.receive(`{"type":"${type}","n":7,"text":"x","passcode":"p"}`);
  await eventually(() => expect(closed).toEqual(['internal']));
  expect(warned).toEqual([expect.objectContaining({ err: new Error('broken') })]);
});

test.each(Object.keys(errors) as ErrorCode[])(
  'the close code and the bye of %s agree on whether to reconnect',
  (code) => {
    const bye = byeMessage(refuse(code));
    expect(bye).toMatchObject({ type: 'bye' });
    expect(closeCode(refuse(code)) >= 4500).toBe('retry' in bye && bye.retry === null);
  },
);

test('a peer whose seat is gone when a host admits it gets a close code to join again', async () => {
  const context = testContext();
  let isGone = false;
  const { store } = context;
  const commit: Store['commit'] = async (room, command) =>
    isGone ? refuse('unknown-session') : store.commit(room, command);
  const signaling = { ...context, store: { ...store, commit } };
  const join = async () => {
    const { sent, closed, writer } = recorder();
    const session = new Session(signaling, 'room', writer, { address: '192.0.2.1' });
    session.receive('{"type":"join"}');
    await eventually(() => expect(sent).toHaveLength(1));
    return { sent, closed, session };
  };
  const host = await join();
  host.session.receive('{"type":"lock","n":1,"access":"knock"}');
  const guest = await join();
  const { type, self } = JSON.parse(guest.sent[0] ?? '{}');
  expect(type).toBe('waiting');
  isGone = true;
  host.session.receive(`{"type":"admit","n":2,"peer":"${self.id}"}`);
  await eventually(() => expect(guest.closed).toEqual([errors['session-lost'].close]));
  expect(JSON.parse(guest.sent.at(-1) ?? '{}')).toMatchObject({ type: 'bye', code: 'session-lost', retry: 500 });
});

test('pings are suppressed once for each request, and no longer than max-quiet', () => {
  let now = 0;
  const context = testContext({ clock: () => now });
  const limits = { ...context.limits, maxQuiet: 500, joinTimeout: 100 };
  const { sent, writer } = recorder();
  const session = new Session({ ...context, limits }, 'room', writer, { address: '192.0.2.1' });
  const tickAt = (time: number) => {
    now = time;
    session.tick(now);
  };
  session.receive('{"type":"ping","quiet":900}');
  tickAt(499);
  expect([sent, session.isQuiet(now)]).toEqual([[], true]);
  tickAt(500);
  expect([sent, session.isQuiet(now)]).toEqual([['{"type":"pong"}'], false]);
  session.receive('{"type":"ping","quiet":900}');
  expect(sent).toHaveLength(2);
  tickAt(600);
  expect(JSON.parse(sent.at(-1) ?? '')).toMatchObject({ type: 'bye', code: 'join-timeout' });
});

test('a join that continues under another id leaves nothing attached under the first', async () => {
  const context = testContext();
  const joined = async (fields: object) => {
    const sent: { type: string; session?: string }[] = [];
    const writer: MessageWriter = {
      send: (text) => sent.push(JSON.parse(wholeText(text))) > 0,
      close: (_code, _reason, last) => void sent.push(...last.map((text) => JSON.parse(text))),
    };
    const session = new Session(context, 'room', writer, { address: '192.0.2.1' });
    session.receive(JSON.stringify({ type: 'join', passcode: 'p', ...fields }));
    await eventually(() => expect(sent[0]?.type).toMatch(/joined|bye/));
    return { sent, session, proof: sent[0]?.session ?? '', leave: () => session.receive('{"type":"leave"}') };
  };
  const host = await joined({});
  host.session.receive('{"type":"passcode","n":1,"passcode":"p"}');
  await eventually(() => expect(host.sent.at(-1)?.type).toBe('ack'));
  const first = await joined({});
  first.leave();
  const second = await joined({ session: first.proof });
  second.leave();
  // Both prove the same seat; the passcode is hashed between the check and the join.
  const rivals = await Promise.all([joined({ session: second.proof }), joined({ session: first.proof })]);
  for (const { leave } of [host, ...rivals]) leave();
  await eventually(() => expect(context.fanout.receiversIn('room')).toBe(0));
});

test.each([
  ['21 messages', 21, 1],
  ['the bytes of more than two messages', 3, 9000],
])('while it joins, a client may send no more than before it joins: %s', (_what, count, bytes) => {
  const context = testContext();
  Object.assign(context.limits, { burst: 1000, byteBurst: 1e9 });
  const { commitNow: _, ...kept } = context.store;
  const store: Store = { ...kept, commit: () => new Promise(() => {}) };
  const closed: string[] = [];
  const writer: MessageWriter = { send: () => true, close: (_code, reason) => void closed.push(reason) };
  const session = new Session({ ...context, store }, 'room', writer, { address: '192.0.2.1' });
  session.receive('{"type":"join"}');
  for (let sent = 1; sent < count; sent += 1) session.receive(`{"type":"ping","more":"${'x'.repeat(bytes)}"}`);
  expect(closed).toEqual([]);
  session.receive(`{"type":"ping","more":"${'x'.repeat(bytes)}"}`);
  expect(closed).toEqual(['rate-limited']);
});
