/** A real conversation, on both transports, contains only what the documents describe. */
import { expect, onTestFinished, test } from 'vitest';
import { type Fields, WebSocketPeer } from '../../app/conform/peers.ts';
import { serverMessage } from '../../app/protocol/messages.ts';
import { startSite } from '../signaling/site.ts';
import { asyncApi, clientSchema, faultBy, openApi, serverSchema } from './published.ts';

const start = async (): Promise<string> => {
  const site = await startSite(['--max-rooms', '1']);
  onTestFinished(() => site.stop());
  return site.direct.http;
};

const payloadOf = (operation: 'receive' | 'send', type: unknown): string => {
  const names = asyncApi.operations[operation].messages.map(({ $ref }: { $ref: string }) => $ref.split('/').at(-1));
  const messages = names.map((name: string) => asyncApi.components.messages[name]);
  return messages.find(({ name }: { name: string }) => name === type)?.payload.$ref ?? `#/nothing of type ${type}`;
};

test('a conversation over a WebSocket uses only what the documents describe', async () => {
  const base = await start();
  const peers = ['Aiko', 'Ben', 'Chika'].map(() => new WebSocketPeer(base, 'documented'));
  const [aiko, ben, chika] = peers as [WebSocketPeer, WebSocketPeer, WebSocketPeer];
  const media = { audio: true, video: false };
  const numbers = new Map<WebSocketPeer, number>();
  const say = (peer: WebSocketPeer, { type, ...fields }: Fields) => {
    const n = (numbers.get(peer) ?? 0) + 1;
    numbers.set(peer, n);
    const message = { type, n, ...fields };
    expect(faultBy(clientSchema, message)).toBe('');
    expect(faultBy(asyncApi, message, payloadOf('receive', type))).toBe('');
    peer.write(JSON.stringify(message));
  };

  await aiko.join({ name: 'Aiko', media });
  const { peers: others } = await ben.join({ name: 'Ben' });
  say(ben, { type: 'chat', text: 'Good morning!' });
  say(ben, { type: 'signal', to: aiko.id, epoch: others[0]?.epoch, data: { candidate: null } });
  say(ben, { type: 'signal', to: aiko.id, epoch: 99, data: 'old' });
  say(ben, { type: 'update', name: 'Benjiro', media, hand: true });
  ben.write('{"type":"ping"}');
  await ben.inbox.take('pong');
  await aiko.inbox.take('peer-updated');
  await ben.cut();
  await aiko.inbox.take('peer-away');
  await ben.resume();
  await aiko.inbox.take('peer-back');
  say(aiko, { type: 'mute-request', peer: ben.id, kind: 'audio' });
  await ben.inbox.take('mute-request');
  say(aiko, { type: 'lock', access: 'knock' });
  await ben.inbox.take('room-updated');
  await chika.knock({ name: 'Chika' });
  await aiko.inbox.take('lobby');
  say(aiko, { type: 'admit', peer: chika.id });
  await chika.admitted();
  say(aiko, { type: 'role', peer: chika.id, role: 'host' });
  say(aiko, { type: 'kick', peer: ben.id });
  await chika.inbox.take('peer-left');
  say(chika, { type: 'end' });
  for (const peer of peers) await peer.closing();

  const received = peers.flatMap((peer) => peer.inbox.raw) as Fields[];
  const types = new Set(received.map(({ type }) => type));
  expect([...types].sort()).toEqual(expect.arrayContaining(['ack', 'bye', 'chat', 'error', 'joined', 'waiting']));
  for (const message of received) {
    expect(faultBy(serverSchema, message)).toBe('');
    expect(faultBy(asyncApi, message, payloadOf('send', message.type))).toBe('');
    expect(serverMessage.parse(message)).toEqual(message);
  }
});

type Asked = { room?: string; body?: unknown; session?: string; query?: string; origin?: string };

/** Makes a request and checks that its response is one of those documented for it. */
const asker =
  (base: string) =>
  async (method: 'GET' | 'POST', what: string, { room = '玄関', body, session, query = '', origin }: Asked = {}) => {
    const headers = {
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      ...(session === undefined ? {} : { authorization: `Bearer ${session}` }),
      ...(origin === undefined ? {} : { origin }),
    };
    const answer = await fetch(`${base}/rooms/${encodeURIComponent(room)}/${what}${query}`, {
      method,
      headers,
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await answer.text();
    const json = text === '' ? undefined : JSON.parse(text);
    const { requestBody, responses } = openApi.paths[`/rooms/{room}/${what}`][method.toLowerCase()];
    expect(Object.keys(responses)).toContain(String(answer.status));
    const { $ref, ...own } = responses[answer.status];
    const { content, headers: documented = {} } = $ref ? openApi.components.responses[answer.status] : own;
    if (answer.headers.has('retry-after')) expect(Object.keys(documented)).toEqual(['Retry-After']);
    if (content) expect(faultBy(openApi, json, content['application/json'].schema.$ref)).toBe('');
    else expect(text).toBe('');
    if (answer.ok && body !== undefined)
      expect(faultBy(openApi, body, requestBody.content['application/json'].schema.$ref)).toBe('');
    return { status: answer.status, json };
  };

test('a conversation over plain HTTP uses only what the documents describe', async () => {
  const ask = asker(await start());
  const codeOf = ({ json }: { json: Fields }) => json.code;

  const { json: aiko } = await ask('POST', 'join', { body: { name: 'Aiko', media: { audio: true, video: true } } });
  const { json: ben } = await ask('POST', 'join');
  const [first, second] = [aiko.session, ben.session];
  expect(ben.peers).toHaveLength(1);
  expect(codeOf(await ask('POST', 'join', { body: { name: 'x'.repeat(65) } }))).toBe('bad-message');
  expect(codeOf(await ask('POST', 'join', { room: 'another' }))).toBe('too-many-rooms');
  expect(codeOf(await ask('POST', 'join', { room: 'a b' }))).toBe('bad-room-name');
  expect(codeOf(await ask('POST', 'messages', { body: { type: 'ping' } }))).toBe('not-joined');
  const signal = { type: 'signal', n: 1, to: aiko.self.id, epoch: ben.peers[0].epoch, data: { sdp: '' } };
  const chat = { type: 'chat', n: 2, text: 'Good morning!' };
  expect((await ask('POST', 'messages', { session: second, body: [signal, chat, { type: 'ping' }] })).status).toBe(200);
  const refused = await ask('POST', 'messages', { session: second, body: { ...signal, n: 3, to: 'nobody' } });
  expect(refused).toMatchObject({ status: 404, json: { messages: [{ code: 'unknown-peer' }] } });
  const polled = await ask('GET', 'events', { session: first, query: `?after=${aiko.seq}&wait=5` });
  expect(polled.json.messages.map(({ type }: Fields) => type)).toEqual(expect.arrayContaining(['signal', 'chat']));
  expect(codeOf(await ask('GET', 'events', { session: first }))).toBe('bad-message');
  expect(codeOf(await ask('POST', 'leave', { origin: 'http://elsewhere.example' }))).toBe('origin-refused');
  expect((await ask('POST', 'leave', { session: second })).status).toBe(204);
  expect(codeOf(await ask('POST', 'leave', { session: second }))).toBe('unknown-session');
});
