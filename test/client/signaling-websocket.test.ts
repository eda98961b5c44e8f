/** The library's WebSocket: the same texts for the library, signals in binary frames for a server that knows them. */
import { afterEach, expect, onTestFinished, test, vi } from 'vitest';
import { SignalingWebSocket } from '../../app/client/signaling-websocket.ts';
import { most } from '../../app/protocol/limits.ts';
import { startSite } from '../signaling/site.ts';

afterEach(() => vi.unstubAllGlobals());

/** A stub of the browser's WebSocket; `version`: what the server has chosen. */
const connect = (version: string) => {
  const sent: string[] = [];
  const received: unknown[] = [];
  let stub: Stub | undefined;
  class Stub {
    readonly protocol = version;
    readonly offered: string[];
    onmessage = (_event: { data: unknown }): void => {};
    constructor(_url: string, offered: string[]) {
      this.offered = offered;
      stub = this;
    }
    send(data: string | Uint8Array): void {
      sent.push(typeof data === 'string' ? data : `bytes ${Buffer.from(data)}`);
    }
  }
  vi.stubGlobal('WebSocket', Stub);
  const socket = new SignalingWebSocket('ws://server/rooms/a/ws');
  socket.onmessage = ({ data }) => received.push(data);
  const receive = (data: string | number[]) =>
    stub?.onmessage({ data: typeof data === 'string' ? data : new Uint8Array(data).buffer });
  return { socket, sent, received, receive, offered: stub?.offered };
};
const signal = (data: string) => `{"type":"signal","n":7,"to":"a-_1","epoch":3,"data":${data}}`;
const bytesOf = (text: string) => [...Buffer.from(text)];

test('signals are sent in binary frames to a server that has chosen them, and everything else as text', () => {
  const { socket, sent, offered } = connect('genkan.v2');
  for (const text of [signal('{"a":"玄"}'), signal('1'), '{"type":"ping"}', '{"type":"chat","n":8,"text":"x"}'])
    socket.send(text);
  expect(offered).toEqual(['genkan.v2', 'genkan.v1']);
  expect(sent).toEqual([
    'bytes 7 a-_1 3\n{"a":"玄"}',
    'bytes 7 a-_1 3\n1',
    '{"type":"ping"}',
    '{"type":"chat","n":8,"text":"x"}',
  ]);
});

test('a signal with more bytes than the limit, but not more characters, is sent as text', () => {
  const { socket, sent } = connect('genkan.v2');
  const text = signal(`"${'玄'.repeat(most.signal - 2)}"`);
  socket.send(text);
  expect(sent).toEqual([text]);
});

test('a server of genkan.v1 gets texts', () => {
  const { socket, sent } = connect('genkan.v1');
  socket.send(signal('1'));
  expect(sent).toEqual([signal('1')]);
});

test('received binary signals are messages, in which their data cannot forge anything', () => {
  const { received, receive } = connect('genkan.v2');
  const text = '{"type":"signal","seq":5,"from":"b","epoch":3,"data":{"a":"玄"}}';
  receive(text);
  receive(bytesOf('5 b 3\n{"a":"玄"}'));
  expect(received.splice(0)).toEqual([text, JSON.parse(text)]);
  const forged = ['', '1,"from":"x"', 'null}{', '"', '['.repeat(30_000), `${'['.repeat(30_000)}${']'.repeat(30_000)}`];
  for (const data of forged) receive(bytesOf(`5 b 3\n${data}`));
  receive([...bytesOf('5 b 3\n'), 0x22, 0xff, 0x22]);
  for (const each of received.splice(0)) {
    expect(each).toEqual({ type: 'signal', seq: 5, from: 'b', epoch: 3, data: null });
  }
  receive(bytesOf('no line'));
  expect(received).toEqual([null]);
});

test('two of them exchange signals over a server', async () => {
  const site = await startSite([]);
  onTestFinished(() => site.stop());
  const join = async () => {
    const socket = new SignalingWebSocket(`${site.direct.http.replace('http', 'ws')}/rooms/binary/ws`);
    const messages: { type: string; self?: { id: string } }[] = [];
    socket.onmessage = ({ data }) => messages.push(typeof data === 'string' ? JSON.parse(data) : data);
    socket.onopen = () => socket.send('{"type":"join"}');
    const next = async (type: string) => {
      await expect.poll(() => messages.some((message) => message.type === type)).toBe(true);
      return messages.find((message) => message.type === type);
    };
    return { socket, next, joined: await next('joined') };
  };
  const [a, b] = [await join(), await join()];
  const id = a.joined?.self?.id;
  b.socket.send(`{"type":"signal","n":1,"to":"${id}","epoch":2,"data":{"sdp":"玄"}}`);
  expect(await a.next('signal')).toMatchObject({ epoch: 2, data: { sdp: '玄' } });
  expect(await b.next('ack')).toEqual({ type: 'ack', n: 1 });
  a.socket.close();
  b.socket.close();
});
