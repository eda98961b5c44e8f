/** Examples for the documents, at most one for each message type: Aiko is the host, Ben a guest. */
import { errors } from './errors.ts';
import type { ClientMessage, ServerMessage } from './messages.ts';

type Examples<Message extends { type: string }> = { [T in Message['type']]?: Extract<Message, { type: T }> };

const [aiko, ben] = ['8sVZQ0v1mUqT', 'pX3nW7cTb2Ya'];
const session = `${ben}.bNG7dS1wQ0xkYx9vM2pTzr4HuEa8WfCj`;
const media = { audio: true, video: true };
const offer = { link: 1, description: { type: 'offer', sdp: 'v=0\r\n…' } };

export const clientExamples: Examples<ClientMessage> = {
  join: { type: 'join', name: 'Ben', media },
  signal: { type: 'signal', n: 1, to: aiko, epoch: 1, data: offer },
  chat: { type: 'chat', n: 2, text: 'Good morning!' },
  update: { type: 'update', n: 3, media: { audio: false, video: true }, hand: true },
  leave: { type: 'leave' },
  ping: { type: 'ping' },
  admit: { type: 'admit', n: 1, peer: ben },
  deny: { type: 'deny', n: 1, peer: ben },
  lock: { type: 'lock', n: 2, access: 'knock' },
  passcode: { type: 'passcode', n: 3, passcode: 'plum blossom' },
  role: { type: 'role', n: 4, peer: ben, role: 'host' },
  kick: { type: 'kick', n: 5, peer: ben, ban: true },
  'mute-request': { type: 'mute-request', n: 6, peer: ben, kind: 'audio' },
  end: { type: 'end', n: 7 },
};

export const serverExamples: Examples<ServerMessage> = {
  joined: {
    type: 'joined',
    self: { id: ben, name: 'Ben', role: 'guest', media, hand: false },
    peers: [
      {
        id: aiko,
        name: 'Aiko',
        role: 'host',
        media,
        hand: false,
        away: false,
        initiator: true,
        polite: true,
        epoch: 1,
      },
    ],
    room: { access: 'open', passcode: false },
    seq: 2,
    session,
    ice: [{ urls: ['stun:stun.example.org:3478'] }],
    grace: 30_000,
    recovered: false,
  },
  waiting: { type: 'waiting', self: { id: ben, name: 'Ben' }, host: true, seq: 2, session, grace: 30_000 },
  'waiting-updated': { type: 'waiting-updated', seq: 3, host: false },
  lobby: { type: 'lobby', seq: 2, waiting: [{ id: ben, name: 'Ben', away: false }] },
  'room-updated': { type: 'room-updated', seq: 4, access: 'knock' },
  'mute-request': { type: 'mute-request', seq: 5, from: aiko, kind: 'audio' },
  'peer-joined': {
    type: 'peer-joined',
    seq: 2,
    peer: {
      id: ben,
      name: 'Ben',
      role: 'guest',
      media,
      hand: false,
      away: false,
      initiator: false,
      polite: false,
      epoch: 1,
    },
  },
  'peer-updated': { type: 'peer-updated', seq: 6, peer: ben, media: { audio: false, video: true }, hand: true },
  'peer-away': { type: 'peer-away', seq: 7, peer: ben },
  'peer-back': { type: 'peer-back', seq: 8, peer: ben },
  'peer-left': { type: 'peer-left', seq: 9, peer: ben, reason: 'left' },
  signal: { type: 'signal', seq: 3, from: ben, epoch: 1, data: offer },
  chat: { type: 'chat', seq: 4, from: ben, text: 'Good morning!', at: 1_795_168_800_000 },
  ack: { type: 'ack', n: 2 },
  pong: { type: 'pong' },
  ice: {
    type: 'ice',
    ice: [{ urls: ['turn:turn.example.org'], username: `1795172400:hX2kQ9vR.${ben}`, credential: 'wGqk0Jm…' }],
  },
  error: { type: 'error', code: 'stale-epoch', message: errors['stale-epoch'].message, n: 1 },
  bye: { type: 'bye', code: 'draining', message: errors.draining.message, retry: errors.draining.retry },
};
