/** A peer gets no messages and signals from before it joined, whatever number it requests. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type TestPeer, WebSocketPeer } from '../../app/conform/peers.ts';
import { webSocket } from '../../app/conform/transports.ts';
import { without } from '../setup/without.ts';
import { type Server, startServer } from '../store/server.ts';
import { type Site, startSite } from './site.ts';

type Message = { type: string; text?: string; seq?: number; code?: string; session?: string };

describe.each(['memory', 'valkey'])('with rooms in %s', (kept) => {
  describe.skipIf(kept === 'valkey' && without('redis-server'))('and no chat history', () => {
    let store: Server | undefined;
    let site: Site;
    const peers: TestPeer[] = [];
    beforeAll(async () => {
      if (kept === 'valkey') store = await startServer();
      site = await startSite(['--chat-history', '0', ...(store ? ['--store', store.url] : [])]);
    });
    afterAll(async () => {
      for (const peer of peers) peer.dispose();
      await site.stop();
      await store?.stop();
    });

    let count = 0;
    const newRoom = () => `before-${++count}`;
    const enter = async (room: string, fields: object = {}): Promise<TestPeer> => {
      const peer = webSocket.peer(site.direct.http, room);
      peers.push(peer);
      await peer.join({ ...fields });
      return peer;
    };
    const ask = (room: string, path: string, session: string, init: RequestInit = {}) =>
      fetch(`${site.direct.http}/rooms/${room}/${path}`, {
        ...init,
        headers: { authorization: `Bearer ${session}`, 'content-type': 'application/json', ...init.headers },
      });
    const post = async (room: string, path: string, session: string, body: object): Promise<Message> =>
      (await ask(room, path, session, { method: 'POST', body: JSON.stringify(body) })).json();
    /** Everything that polls return from the first number on. */
    const polled = async (room: string, session: string): Promise<Message[]> => {
      const all: Message[] = [];
      for (let after = 0; ; ) {
        const answer = await (await ask(room, `events?after=${after}&wait=0`, session)).json();
        all.push(...answer.messages);
        if (answer.seq === after || answer.messages.length === 0) return all;
        after = answer.seq;
      }
    };
    /** Everything that a stream returns from the first number on, until this text arrives. */
    const streamed = async (room: string, session: string, last: string): Promise<string> => {
      const over = new AbortController();
      const headers = { accept: 'text/event-stream' };
      const { body } = await ask(room, 'events?after=0', session, { headers, signal: over.signal });
      let streamText = '';
      for await (const part of body?.pipeThrough(new TextDecoderStream()) ?? []) {
        streamText += part;
        if (streamText.includes(last)) break;
      }
      over.abort();
      return streamText;
    };

    test('a newcomer gets no earlier events, by polls, a stream or a WebSocket', async () => {
      const room = newRoom();
      const host = await enter(room);
      await host.send({ type: 'chat', text: 'hush' });
      const { session } = await post(room, 'join', '', {});
      if (!session) throw new Error('no session');
      await host.send({ type: 'chat', text: 'hello' });
      const received = await polled(room, session);
      expect(received.filter(({ type }) => type === 'chat')).toMatchObject([{ text: 'hello' }]);
      const streamText = await streamed(room, session, 'hello');
      expect(streamText).not.toContain('hush');
      const again = new WebSocketPeer(site.direct.http, room);
      peers.push(again);
      await again.join({ session, after: 0 });
      expect(await again.inbox.take('chat')).toMatchObject({ text: 'hello' });
      expect(JSON.stringify(again.inbox.all)).not.toContain('hush');
    });

    test('a peer that left and rejoined with the same id gets no events from in between, and continues', async () => {
      const room = newRoom();
      const host = await enter(room);
      const first = await post(room, 'join', '', {});
      await host.send({ type: 'chat', text: 'before' });
      await ask(room, 'leave', first.session ?? '', { method: 'POST', body: '{}' });
      await host.inbox.take('peer-left');
      await host.send({ type: 'chat', text: 'hush' });
      const { session = '' } = await post(room, 'join', '', { session: first.session, after: 0 });
      expect(session.split('.')[0]).toBe(first.session?.split('.')[0]);
      await host.send({ type: 'chat', text: 'hello' });
      const received = await polled(room, session);
      expect(received.filter(({ type }) => type === 'chat')).toMatchObject([{ text: 'hello' }]);
      expect(await streamed(room, session, 'hello')).not.toMatch(/hush|before/);
      const again = new WebSocketPeer(site.direct.http, room);
      peers.push(again);
      await again.join({ session, after: 0 });
      expect(await again.inbox.take('chat')).toMatchObject({ text: 'hello' });
      expect(JSON.stringify(again.inbox.all)).not.toMatch(/hush|before/);
    });

    test('a peer that left and waits in the lobby with the same id gets no events from before it is admitted', async () => {
      const room = newRoom();
      const host = await enter(room);
      const first = await post(room, 'join', '', {});
      await ask(room, 'leave', first.session ?? '', { method: 'POST', body: '{}' });
      await host.inbox.take('peer-left');
      await host.send({ type: 'lock', access: 'knock' });
      await host.send({ type: 'chat', text: 'hush' });
      const { type, session = '' } = await post(room, 'join', '', { session: first.session });
      expect(type).toBe('waiting');
      const [id] = session.split('.');
      expect(first.session?.split('.')[0]).toBe(id);
      expect(await polled(room, session)).toEqual([]);
      const streamText = streamed(room, session, 'hello');
      await host.send({ type: 'admit', peer: id });
      await host.inbox.take('peer-joined');
      await host.send({ type: 'chat', text: 'hello' });
      expect(await streamText).not.toContain('hush');
      const received = await polled(room, session);
      expect(received.map(({ type }) => type)).toContain('joined');
      expect(received.filter(({ type }) => type === 'chat')).toMatchObject([{ text: 'hello' }]);
    });

    test('a peer whose connection was lost gets the events it missed', async () => {
      const room = newRoom();
      const host = await enter(room);
      const guest = await enter(room);
      await guest.cut();
      await host.send({ type: 'chat', text: 'meanwhile' });
      expect(await guest.resume()).toMatchObject({ recovered: true });
      expect(await guest.inbox.take('chat')).toMatchObject({ text: 'meanwhile' });
    });
  });
});
