/** What the routes of a room share: reading requests, checking them, and sending answers. */
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { UnsentBytes } from '../budgets/unsent-bytes.ts';
import { uncounted } from '../listener/limits.ts';
import { isCrossSite, type RefusedTo } from '../listener/refused-addresses.ts';
import { type Refusal, refuse } from '../protocol/errors.ts';
import { roomName } from '../protocol/messages.ts';
import type { Caller } from '../signaling/authorize.ts';
import { countFault } from '../signaling/handle-message.ts';
import type { HttpAnswer } from '../signaling/transports/http-answer.ts';
import type { Handshake } from '../signaling/transports/websocket.ts';
import type { Counts } from '../stats/counters.ts';
import { type OriginPolicy, originRequestOf, whyNot } from './allowed-origins.ts';

/** What is used of a request, or of a handshake that is answered without a request of Fastify (direct-handshake.ts). */
export type RoomRequest = Pick<FastifyRequest, 'headers' | 'protocol' | 'host' | 'ip' | 'params'>;

/** Checks the origin and the room name, which is valid afterwards. */
export type CheckRequest = (request: RoomRequest) => Refusal | undefined;

export const requestCheck =
  (mayUse: OriginPolicy): CheckRequest =>
  (request) => {
    const originRequest = originRequestOf(request);
    if (!mayUse(originRequest)) return refuse('origin-refused', whyNot(originRequest));
    if (isPlainName(paramOf(request))) return undefined;
    const name = roomName.safeParse(paramOf(request));
    if (!name.success) return refuse('bad-room-name');
    // A front end that routes rooms to workers hashes the URL, so each room must have exactly one URL.
    return name.data === paramOf(request) ? undefined : refuse('bad-room-name', 'in a URL it must be in Unicode NFC');
  };

export type SendAnswer = (reply: FastifyReply, answer: HttpAnswer) => FastifyReply;

type AnswerOptions = {
  counts: Counts;
  ready: () => boolean;
  refusedTo: RefusedTo;
  /** Counts every answer, because many of them may not be read. */
  unsent: Pick<UnsentBytes, 'transferred'>;
};

export const answerSender =
  ({ counts, ready, refusedTo, unsent }: AnswerOptions): SendAnswer =>
  (reply, { status, body, refused, retry = 0 }) => {
    if (refused) counts.refused[refused] += 1;
    if (refused) countFault({ refusedTo }, refused, callerOf(reply.request));
    reply.request.isFaultCounted = true;
    const seconds = Math.ceil(retry / 1000);
    if (seconds > 0) reply.header('retry-after', seconds);
    // For long polls that began before draining: their keep-alive connections would delay it.
    if (!ready()) reply.header('connection', 'close');
    reply.code(status);
    if (body === '') return reply.send();
    unsent.transferred(body.length);
    // A long one as bytes, because Node counts a text that waits to be sent in characters. A short one is sent faster as a text.
    const payload = body.length > uncounted / 3 ? Buffer.from(body) : body;
    return reply.type('application/json; charset=utf-8').send(payload);
  };

export const roomOf = (request: RoomRequest): string => {
  const name = paramOf(request);
  return isPlainName(name) ? name : roomName.parse(name);
};

/** A valid room name, tested faster than by the schema. */
const isPlainName = (name: unknown): name is string => typeof name === 'string' && /^[\w-]{1,64}$/.test(name);

const paramOf = ({ params }: RoomRequest): unknown =>
  typeof params === 'object' && params !== null && 'room' in params ? params.room : undefined;

export const callerOf = (request: RoomRequest): Caller => ({ address: request.ip, ...handshakeOf(request) });

export const handshakeOf = (request: RoomRequest): Handshake => ({
  token: bearerOf(request, 3),
  crossSite: isCrossSite(request.headers['sec-fetch-site']),
});

export const sessionOf = (request: FastifyRequest): string | undefined => bearerOf(request, 2);

/** Session secrets and tokens are distinguished by their number of dot-separated parts. */
const bearerOf = ({ headers }: RoomRequest, parts: number): string | undefined => {
  if (headers.authorization === undefined) return undefined;
  const bearer = /^Bearer ([\w.-]+)$/i.exec(headers.authorization)?.[1];
  return bearer?.split('.').length === parts ? bearer : undefined;
};
