/** Applies the numbered messages of peers: each once, and only if the sender may send it. */
import type { Passcode } from '../auth/passcode.ts';
import type { Malformed, UnreadSignal } from '../protocol/decode.ts';
import { type Refusal, refuse } from '../protocol/errors.ts';
import type { Numbered, PeerId, Role, SaidBefore } from '../protocol/messages.ts';
import { admit } from './join.ts';
import { ban, endForAll, makeHost, promote, remember, takeOut } from './leave.ts';
import { may } from './permissions.ts';
import type { Decision, Granted, Peer, Room, RoomEvent, Rules } from './room.ts';

/**
 * A message as rooms take it: the data of a signal is text, a passcode is hashed, and a new token is replaced by what it grants
 * or by its refusal.
 */
export type Said =
  | Exclude<Numbered, { type: 'signal' | 'passcode' | 'update' }>
  | UnreadSignal
  | Malformed
  | { type: 'passcode'; n: number; passcode: Passcode | null }
  | (Omit<Extract<Numbered, { type: 'update' }>, 'token'> & { granted?: Granted | Refusal });

/** `accepted`: all numbers up to it are settled. `refusal`: why the last message was not applied. */
export type Settled = { accepted: number; refusal?: Refusal };

/**
 * Settles each message once. A repeat changes nothing and is acknowledged again; a gap is refused and stays open. A refused
 * message settles its number too, or the sender would repeat it forever.
 */
export const applyMessage = (room: Room, from: PeerId, message: Said, now: number, rules: Rules): Decision<Settled> => {
  const sender = room.peers.get(from);
  if (!sender) return refuse(room.waiting.has(from) ? 'waiting' : 'unknown-session');
  const { n } = message;
  if (n <= sender.accepted) return { events: [], result: { accepted: sender.accepted } };
  if (n !== sender.accepted + 1) return refuse('out-of-order', `n is ${n}, ${sender.accepted + 1} is next`);
  sender.accepted = n;
  const outcome = decide(room, sender, message, now, rules);
  return Array.isArray(outcome)
    ? { events: outcome, result: { accepted: n } }
    : { events: [], result: { accepted: n, refusal: outcome } };
};

const decide = (room: Room, sender: Peer, message: Said, now: number, rules: Rules): RoomEvent[] | Refusal => {
  if (message.type === 'malformed') return message.refusal;
  return may(sender.role, message.type)
    ? execute(room, sender, message, now, rules)
    : refuse('not-allowed', message.type);
};

const execute = (
  room: Room,
  sender: Peer,
  message: Exclude<Said, Malformed>,
  now: number,
  rules: Rules,
): RoomEvent[] | Refusal => {
  switch (message.type) {
    case 'signal':
      return signal(room, sender, message);
    case 'chat':
      return chat(room, sender, message, now, rules);
    case 'update':
      return update(room, sender, message);
    case 'admit':
      return admit(room, message.peer, now, rules);
    case 'deny':
      return deny(room, message.peer, now, rules);
    case 'lock':
      room.access = message.access;
      return [{ type: 'room-updated', access: message.access }];
    case 'passcode':
      return setPasscode(room, message.passcode);
    case 'role':
      return setRole(room, sender, message.peer, message.role);
    case 'kick':
      return kick(room, sender, message, now, rules);
    case 'mute-request':
      if (message.peer === sender.id || !room.peers.has(message.peer)) return unknownPeer(message.type, message.peer);
      return [{ type: 'mute-request', from: sender.id, among: [message.peer], kind: message.kind }];
    case 'end':
      return endForAll(room, now, rules);
  }
};

const signal = (room: Room, sender: Peer, { to, epoch, data }: UnreadSignal): RoomEvent[] | Refusal => {
  const receiver = room.peers.get(to);
  if (!receiver || receiver === sender) return refuse('unknown-peer', `signal.to is "${to}"`);
  const current = Math.max(sender.entered, receiver.entered);
  if (epoch !== current) return refuse('stale-epoch', `signal.epoch is ${epoch}, the pair is at ${current}`);
  return [{ type: 'signal', from: sender.id, to, epoch, data }];
};

type Of<Type extends Said['type']> = Extract<Said, { type: Type }>;

const chat = (
  room: Room,
  { id: from, name }: Peer,
  { to, text }: Of<'chat'>,
  at: number,
  { chatHistory }: Rules,
): RoomEvent[] | Refusal => {
  if (to !== undefined)
    return to === from || !room.peers.has(to)
      ? refuse('unknown-peer', `chat.to is "${to}"`)
      : [{ type: 'chat', from, to, text, at }];
  if (chatHistory > 0) {
    room.said.push({ from, ...(name === undefined ? {} : { name }), text, at });
    // Short messages cannot exceed the limit by much, so only a long one causes a count.
    const isLong = text.length > historyCharacters / chatHistory;
    while (room.said.length > chatHistory || (isLong && charactersIn(room.said) > historyCharacters)) room.said.shift();
  }
  return [{ type: 'chat', from, text, at }];
};

/** Total length of the chat history, whatever its number of messages: all of it is sent to every peer that joins. */
const historyCharacters = 65_536;
const charactersIn = (history: SaidBefore[]): number => history.reduce((sum, { text }) => sum + text.length, 0);

const update = (room: Room, self: Peer, { name, media, hand, granted }: Of<'update'>): RoomEvent[] | Refusal => {
  if (granted && 'refused' in granted) return granted;
  if (granted) self.granted = granted;
  const event: RoomEvent = { type: 'peer-updated', peer: self.id };
  const newName = self.granted?.name ?? name;
  if (newName !== undefined) self.name = event.name = newName;
  if (granted?.role !== undefined) self.role = event.role = granted.role;
  if (media !== undefined) self.media = event.media = media;
  if (hand !== undefined) self.hand = event.hand = hand;
  return [event, ...promote(room)];
};

const deny = (room: Room, id: PeerId, now: number, rules: Rules): RoomEvent[] | Refusal => {
  const waiting = room.waiting.get(id);
  if (!waiting) return refuse('unknown-peer', `"${id}" does not wait`);
  room.waiting.delete(id);
  remember(room, waiting, { code: 'denied', until: now + rules.grace }, rules);
  return [{ type: 'denied', peer: id }];
};

const setPasscode = (room: Room, passcode: Passcode | null): RoomEvent[] => {
  if (passcode) room.passcode = passcode;
  else delete room.passcode;
  return [{ type: 'room-updated', passcode: passcode !== null }];
};

const setRole = (room: Room, sender: Peer, id: PeerId, role: Role): RoomEvent[] | Refusal => {
  const peer = room.peers.get(id);
  if (!peer) return unknownPeer('role', id);
  if (role === 'guest' && isLastHost(room, peer)) return refuse('last-host');
  if (role === 'host') makeHost(room, peer, sender);
  else peer.role = role;
  return [{ type: 'peer-updated', peer: id, role }];
};

const kick = (
  room: Room,
  sender: Peer,
  { peer: id, ban: banned = false, network = false }: Of<'kick'>,
  now: number,
  rules: Rules,
): RoomEvent[] | Refusal => {
  const peer = room.peers.get(id);
  if (!peer || peer === sender) return unknownPeer('kick', id);
  const until = banned ? Number.POSITIVE_INFINITY : now + rules.grace;
  remember(room, peer, { code: 'kicked', until }, rules);
  if (banned) ban(room, peer, network, now, rules);
  return takeOut(room, id, 'kicked', now, rules);
};

const isLastHost = ({ peers }: Room, peer: Peer): boolean =>
  peer.role === 'host' && ![...peers.values()].some((other) => other !== peer && other.role === 'host');

const unknownPeer = (type: string, id: PeerId): Refusal => refuse('unknown-peer', `${type}.peer is "${id}"`);
