/** The transports under test, and how each reports a refusal. */
import type { ErrorCode } from '../protocol/errors.ts';
import { serverMessage } from '../protocol/messages.ts';
import { BinaryPeer, type Fields, HttpPeer, StreamPeer, type TestPeer, WebSocketPeer } from './peers.ts';

/** A refusal: error code, and `fate`: HTTP status or close code (0: the connection stays open). */
export type Refused = { code: ErrorCode; fate: number };

export type Transport = {
  name: 'WebSocket' | 'HTTP' | 'SSE';
  /** @param always additional fields of every join */
  peer(base: string, room: string, always?: Fields): TestPeer;
  /** Sends raw texts, before or after joining. @returns the refusal */
  refusal(base: string, room: string, texts: string[]): Promise<Refused>;
};

export const webSocket: Transport = {
  name: 'WebSocket',
  peer: (base, room, always) => new WebSocketPeer(base, room, always),
  async refusal(base, room, texts) {
    const peer = new WebSocketPeer(base, room);
    await peer.open();
    for (const text of texts) peer.write(text);
    try {
      const { type, code } = await peer.inbox.refusal();
      return { code, fate: type === 'bye' ? (await peer.closing()).code : 0 };
    } finally {
      if (!peer.closed && peer.inbox.of('joined').length > 0) await peer.leave();
      peer.dispose();
    }
  },
};

/** With signals in binary frames. */
export const binaryWebSocket: Transport = {
  ...webSocket,
  peer: (base, room, always) => new BinaryPeer(base, room, always),
};

export const plainHttp: Transport = {
  name: 'HTTP',
  peer: (base, room, always) => new HttpPeer(base, room, always),
  /** Texts of type join are posted to `join`, all others to `messages` with the session of that join. */
  async refusal(base, room, texts) {
    const peer = new HttpPeer(base, room);
    try {
      for (const text of texts) {
        const isJoin = text.includes('"type":"join"');
        if (isJoin && texts.indexOf(text) === 0 && texts.length > 1) {
          await peer.join(JSON.parse(text));
          continue;
        }
        const { status, json } = await peer.post(isJoin && texts.length === 1 ? 'join' : 'messages', text);
        const reply = Array.isArray((json as Fields)?.messages) ? (json as { messages: Fields[] }).messages[0] : json;
        const message = serverMessage.parse(reply);
        if (message.type === 'error') return { code: message.code, fate: status };
      }
    } finally {
      peer.dispose();
      await peer.goodbye();
    }
    throw new Error('nothing was refused');
  },
};

export const eventStream: Transport = {
  ...plainHttp,
  name: 'SSE',
  peer: (base, room, always) => new StreamPeer(base, room, always),
};
