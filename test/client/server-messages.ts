/** One message of each type that a server may send, with every optional field. */
import type { ServerMessage } from '../../app/protocol/messages.ts';
import { joined, peer } from './fake-server.ts';

const ice = [{ urls: ['stun:host:3478', 'turn:host:3478?transport=udp'], username: 'name', credential: 'word' }];
const media = { audio: true, video: false, screen: true };
const waiting = [{ id: 'w', name: 'Wen', away: false }];

export const serverMessages: ServerMessage[] = [
  joined({
    ...{ self: { id: 'me', name: 'Ada', role: 'host', media, hand: true }, peers: [peer('a', { name: 'Ben', media })] },
    ...{ waiting, chat: [{ from: 'a', name: 'Ben', text: 'hello', at: 1 }], ice },
  }),
  { type: 'waiting', self: { id: 'me', name: 'Ada' }, host: true, seq: 1, session: 'secret', grace: 30_000 },
  { type: 'waiting-updated', seq: 1, host: false },
  { type: 'lobby', seq: 1, waiting },
  { type: 'room-updated', seq: 1, access: 'knock', passcode: true },
  { type: 'mute-request', seq: 1, from: 'a', kind: 'audio' },
  { type: 'peer-joined', seq: 1, peer: peer('b', { name: 'Eve', media }) },
  { type: 'peer-updated', seq: 1, peer: 'a', name: 'Ben', media, hand: true, role: 'host' },
  { type: 'peer-away', seq: 1, peer: 'a' },
  { type: 'peer-back', seq: 1, peer: 'a' },
  { type: 'peer-left', seq: 1, peer: 'a', reason: 'left' },
  { type: 'signal', seq: 1, from: 'a', epoch: 1, data: { link: 1, candidate: { candidate: '' } } },
  { type: 'chat', seq: 1, from: 'a', to: 'me', text: 'hello', at: 1 },
  { type: 'ack', n: 1 },
  { type: 'reached', seq: 1 },
  { type: 'pong' },
  { type: 'ice', ice },
  { type: 'error', code: 'rate-limited', message: 'Too much.', n: 1, retry: 1000 },
  { type: 'bye', code: 'draining', message: 'Later.', retry: 1000 },
];
