/** What must hold when nothing is in flight, each guarantee by itself. */

import { isDeepStrictEqual } from 'node:util';
import type { ErrorCode } from '../../../app/protocol/errors.ts';
import type { Joined, Peer, PeerId, SaidBefore } from '../../../app/protocol/messages.ts';
import type { Caller } from './caller.ts';
import type { Attempt, Life, ReceivedEvent, Sent } from './life.ts';
import type { Fields } from './links.ts';
import { isHeavy, limits } from './place.ts';
import { epochOf, type Members, type RoomModel, viewOf } from './room-model.ts';
import type { World } from './world.ts';

/** @param drained the peers that received everything up to event `until` */
export const checkAll = (world: World, drained: Caller[], until: number): void => {
  const { model } = world;
  if (!model) return;
  for (const attempt of world.attempts) if (attempt.outcome !== undefined) checkAttempt(world, model, attempt, until);
  world.attempts = world.attempts.filter(({ outcome }) => outcome === undefined);
  for (const caller of drained) checkTold(world, model, caller, until);
  for (const caller of drained) checkPresent(world, model, caller);
  for (const sent of world.open) settle(world, sent, until);
  world.open = world.open.filter((sent) => !judged(world, model, sent));
  checkGhosts(world, model);
  for (const { id } of world.gone.splice(0))
    if (model.now.has(id)) world.violated('leaving', `${id} was reported as left, and is still in the room`);
};

// ── joining ──────────────────────────────────────────────────────────────────────────────────────────────────────────

const checkAttempt = (world: World, model: RoomModel, attempt: Attempt, until: number): void => {
  const { outcome } = attempt;
  if (outcome === 'lost') {
    world.lostJoins += 1;
    return;
  }
  if (typeof outcome === 'object') return checkJoined(world, model, attempt, outcome);
  world.counts.refused += 1;
  const states = model.between(attempt.low, until);
  const isFull = states.some((members) => members.size >= limits['max-peers']);
  const held = attempt.resumes && states.every((members) => holds(model, members, attempt.resumes));
  if (outcome === 'kicked' && model.kicked.has(attempt.session.split('.')[0] ?? '')) return;
  if (outcome !== 'room-full' || !isFull || held)
    world.violated('joining', `refused as ${outcome}`, attempt, states.map(Object.fromEntries));
};

const checkJoined = (
  world: World,
  model: RoomModel,
  { resumes, low, after, session }: Attempt,
  joined: Joined,
): void => {
  const { seq, self, recovered } = joined;
  const members = model.at(seq);
  const member = members.get(self.id);
  const fault = (what: string) => world.violated('joining', what, joined, Object.fromEntries(members));
  if (!member) return fault('a joined peer is in the room');
  if (member.role !== self.role || member.name !== self.name) fault('its own role and name are those that others get');
  if (!isDeepStrictEqual(byId(joined.peers), byId(viewOf(members, self.id)))) fault('it gets the peers of the room');
  if (recovered) return;
  const past = world.lives.findLast(({ id }) => id === session.split('.')[0]);
  if (past?.session === session && !past.doubtful && wasKicked(world, model, past)) fault('it was kicked');
  // A peer that resumes has received the chat up to the number that it names.
  const chats = [0, resumes ? after : 0].map((had) => saidBefore(world, model, seq, had));
  if (!chats.some((chat) => isDeepStrictEqual(joined.chat ?? [], chat))) fault('it gets the recent chat');
  const held = model.between(Math.min(low, seq - 1), seq - 1).every((before) => holds(model, before, resumes));
  if (!resumes || !held) {
    if (!resumes && model.at(seq - 1).has(self.id)) fault('a new peer has an id of its own');
    return;
  }
  if (self.id !== resumes.id) fault('a peer with a seat keeps it');
  const isKept = after >= seq - 1 - limits['log-events'] && !isHeavySince(world, model, after);
  const isYoung = world.now() - model.clockAt(after) < 2 * limits.grace * 1000 + 60_000;
  if (isKept && isYoung) world.violated('resume', `everything after ${after} was kept, and it was not resumed`, joined);
};

/** Recently enough that its session is still known. */
const wasKicked = (world: World, model: RoomModel, { id }: Life): boolean =>
  world.now() < (model.kicked.get(id) ?? 0) + limits.grace * 1000;

const saidBefore = (world: World, model: RoomModel, seq: number, had: number): SaidBefore[] => {
  const all = world.witness.life?.received ?? [];
  const toAll = all.filter((event) => event.type === 'chat').filter((chat) => chat.to === undefined && chat.seq <= seq);
  const kept = toAll.slice(-limits['chat-history']).filter((chat) => chat.seq > had);
  return kept.map(({ from, text, at, seq: sentAt }) => {
    const name = model.at(sentAt).get(from)?.name;
    return { from, ...(name === undefined ? {} : { name }), text, at };
  });
};

/** Whether more bytes than the log keeps may have been added since. */
const isHeavySince = (world: World, model: RoomModel, after: number): boolean =>
  [...world.sent.values()].some(
    ({ message, seq, high }) => isHeavy(message) && (seq ?? model.nextAfter(high ?? Number.POSITIVE_INFINITY)) > after,
  );

/** Whether the seat of a life still belongs to it, and not to a later join with the same id. */
const holds = (model: RoomModel, members: Members, life: Life | undefined): boolean =>
  life !== undefined && members.get(life.id)?.epoch === (model.at(life.start).get(life.id)?.epoch ?? 0);

const byId = (peers: Peer[]): Peer[] => peers.toSorted((one, other) => one.id.localeCompare(other.id));

// ── what every peer receives ─────────────────────────────────────────────────────────────────────────────────────────

/** Every event for all reached this one too, once and unchanged; events for it alone were for it. */
const checkTold = (world: World, model: RoomModel, { life }: Caller, until: number): void => {
  const all = world.witness.life?.received ?? [];
  if (!life || life === world.witness.life) return;
  const wanted = all.filter(({ seq }) => seq > life.compared.upTo && seq <= until);
  const got = life.received.slice(life.compared.received).filter(({ seq }) => seq <= until);
  const missed = difference(
    wanted.filter((event) => !isDirected(event) && !isAbout(event, life.id)),
    got.filter((event) => !isDirected(event)),
  );
  if (missed)
    world.violated(
      'each event once',
      `${life.id} from ${life.compared.upTo} to ${until}: ${missed[0]}`,
      missed[1],
      got.slice(-5),
    );
  for (const event of got) if (event.type === 'signal') checkSignal(world, model, life, event);
  life.compared = { received: life.compared.received + got.length, upTo: until, round: world.round };
};

const difference = (wanted: ReceivedEvent[], got: ReceivedEvent[]): [string, ReceivedEvent] | undefined => {
  for (let index = 0; index < Math.max(wanted.length, got.length); index += 1) {
    const [one, other] = [wanted[index], got[index]];
    if (one && (!other || other.seq > one.seq)) return ['it did not receive', one];
    if (other && (!one || one.seq > other.seq)) return ['it alone received', other];
    if (other && !isDeepStrictEqual(one, other)) return ['it received something else', other];
  }
  return;
};

const checkSignal = (world: World, model: RoomModel, life: Life, event: ReceivedEvent & { type: 'signal' }): void => {
  const epoch = epochOf(model.at(event.seq), event.from, life.id);
  if (epoch !== event.epoch) world.violated('epochs', `the pair was at ${epoch}`, event);
};

const isDirected = (event: ReceivedEvent): boolean =>
  event.type === 'signal' || event.type === 'mute-request' || (event.type === 'chat' && event.to !== undefined);

/** No peer gets events about itself, except for its role. */
const isAbout = (event: ReceivedEvent, id: string): boolean => {
  switch (event.type) {
    case 'peer-joined':
      return event.peer.id === id;
    case 'peer-updated':
      return event.peer === id && event.role === undefined;
    case 'peer-away':
    case 'peer-back':
    case 'peer-left':
      return event.peer === id;
    case 'chat':
    case 'signal':
      return event.from === id;
    default:
      return false;
  }
};

const checkPresent = (world: World, model: RoomModel, { life }: Caller): void => {
  const member = life && model.now.get(life.id);
  if (life && (!member || member.away))
    world.violated('away', `${life.id} is here, and counts as ${member ? 'away' : 'gone'}`);
};

const checkGhosts = (world: World, model: RoomModel): void => {
  const known = new Set(world.lives.map(({ id }) => id));
  const unknown = [...model.now.keys()].filter((id) => !known.has(id));
  if (unknown.length > world.lostJoins) world.violated('no ghosts', 'no peer ever joined as', unknown);
  if (![...model.now.values()].some(({ role }) => role === 'host')) world.violated('a room has a host', 'none is');
  for (const [id, { away, lost }] of model.now)
    if (away && lost[1] + limits.grace * 1000 <= world.now())
      world.violated('no ghosts', `${id} is away since ${lost[1]} and still there at ${world.now()}`);
};

// ── the outcome of each message ──────────────────────────────────────────────────────────────────────────────────────

const settle = (world: World, sent: Sent, until: number): void => {
  if (sent.settled === undefined || sent.high !== undefined) return;
  sent.high = until;
  sent.settledIn = world.round;
};

/** Whether the outcome of a message is complete. */
const judged = (world: World, model: RoomModel, sent: Sent): boolean => {
  if (sent.high === undefined) return sent.from.ended;
  if (sent.seq !== undefined) return true;
  const { settled, message, lossy } = sent;
  const fates = model.between(sent.low, sent.high).map((members) => fateIn(members, sent));
  const evidence = [{ ...sent, message }, fates];
  if (settled !== 'acked') {
    if (!fates.some((fate) => fate === settled))
      world.violated('refusals', `it was refused as ${settled}`, ...evidence);
    return true;
  }
  const isTold = message.type === 'signal' || message.type === 'chat' || message.type === 'update';
  if (!isTold && fates.some((fate) => fate === undefined)) return true;
  const mayBeRefused = lossy && fates.some((fate) => fate !== undefined);
  if (mayBeRefused) return true;
  if (message.to === undefined || fates.every((fate) => fate !== undefined)) {
    world.violated('nothing acknowledged is lost', 'no peer received it, and no error was sent', ...evidence);
    return true;
  }
  const receivers = world.lives.filter(({ id, start }) => id === message.to && start <= sent.low);
  if (receivers.some(({ compared }) => compared.round >= sent.settledIn))
    world.violated('nothing acknowledged is lost', `${message.to} did not receive it`, ...evidence);
  return receivers.every(({ ended }) => ended);
};

/** The room's refusal of a message; undefined if it is accepted. */
const fateIn = (members: Members, { from, message }: Sent): ErrorCode | undefined => {
  const sender = members.get(from.id);
  if (!sender) return 'unknown-session';
  switch (message.type) {
    case 'signal':
    case 'chat':
      return message.to === undefined ? undefined : fateTo(members, from.id, message);
    case 'update':
      return;
    default:
      return sender.role === 'host' ? fateAs(members, from.id, message) : 'not-allowed';
  }
};

const fateTo = (members: Members, from: PeerId, { type, to, epoch }: Fields): ErrorCode | undefined => {
  const current = epochOf(members, from, String(to));
  if (current === undefined) return 'unknown-peer';
  return type === 'signal' && epoch !== current ? 'stale-epoch' : undefined;
};

/** If sent by a host. */
const fateAs = (members: Members, from: PeerId, { type, peer, role }: Fields): ErrorCode | undefined => {
  if (!members.has(String(peer)) || (type !== 'role' && peer === from)) return 'unknown-peer';
  const hosts = [...members].filter((member) => member[1].role === 'host');
  return type === 'role' && role === 'guest' && hosts.length === 1 && hosts[0]?.[0] === peer ? 'last-host' : undefined;
};
