/** The plain HTTP transport as an OpenAPI document, https://spec.openapis.org/oas/v3.1.1 */
import { z } from 'zod';
import { type ErrorCode, errors, fateOf } from './errors.ts';
import { clientExamples, serverExamples } from './examples.ts';
import { created, eventsAnswer, inside, roomOptions, seen } from './http-answers.ts';
import { components, type Json, namesIn, refTo } from './json-schemas.ts';
import {
  ack,
  clientMessage,
  error,
  join,
  joined,
  leave,
  pong,
  protocolVersion,
  roomName,
  waiting,
} from './messages.ts';

const replies = z.object({ messages: z.array(z.discriminatedUnion('type', [ack, pong, error])) });
const bodies = {
  roomOptions,
  created,
  joinBody: join.omit({ type: true }),
  leaveBody: leave.omit({ type: true }),
  posted: z.union([clientMessage, z.array(clientMessage).min(1)]),
  replies,
  entered: z.discriminatedUnion('type', [joined, waiting]),
  eventsAnswer,
  refusal: z.union([error, replies]),
  seen,
  inside,
};

/** @param source the texts of messages.ts and http-answers.ts */
export const openApi = (source: string): Json => {
  const names = namesIn(source, bodies);
  const body = (name: keyof typeof bodies, example?: Json) => ({
    content: { 'application/json': { schema: refTo(bodies[name], names), ...(example ? { example } : {}) } },
  });
  const { type: _, ...joinExample } = { ...clientExamples.join };
  return {
    openapi: '3.1.1',
    info: {
      title: 'Genkan: a room over plain HTTP',
      version: protocolVersion,
      license: { name: 'MIT', identifier: 'MIT' },
      description: [
        'Join, then send one request for events after another, and post messages in parallel. Every operation lists all',
        'errors; the descriptions say which apply. If `messages` accepts nothing, its status is that of the first error,',
        'and its body has all errors.',
      ].join(' '),
    },
    security: [{ session: [] }],
    paths: {
      '/rooms/{room}/create': operation('post', 'create', 'Creates the room before anyone is in it.', {
        security: [{}, { token: [] }],
        requestBody: body('roomOptions', { access: 'knock' }),
        responses: { 201: { description: 'Join with `session` to be its host.', ...body('created') } },
      }),
      '/rooms/{room}/join': operation('post', 'join', 'Joins the room, or resumes a session.', {
        security: [{}, { token: [] }],
        requestBody: body('joinBody', joinExample),
        responses: {
          200: { description: 'Joined, or waiting in the lobby.', ...body('entered', serverExamples.joined) },
        },
      }),
      '/rooms/{room}/messages': operation('post', 'say', 'Sends one message or several, in order.', {
        requestBody: { required: true, ...body('posted', clientExamples.chat) },
        responses: {
          200: {
            description: 'The acknowledgements and errors; at least one message was accepted.',
            ...body('replies'),
          },
        },
      }),
      '/rooms/{room}/events': operation(
        'get',
        'hear',
        'The events after a number; waits for the next one if there are none.',
        {
          parameters: eventsQuery,
          responses: { 200: eventsAs(body('eventsAnswer')) },
        },
      ),
      '/rooms/{room}/leave': operation('post', 'leave', 'Leaves the room.', {
        requestBody: body('leaveBody'),
        responses: { 204: { description: 'The session has ended.' } },
      }),
      '/rooms/{room}/inside': operation(
        'get',
        'inside',
        'Who is in the room, as far as the server reveals it before joining.',
        {
          security: [{}, { token: [] }],
          responses: { 200: { description: 'Nothing, the number of peers, or also their names.', ...body('inside') } },
        },
      ),
      '/rooms/{room}/seen': operation('get', 'seen', 'How this request arrived, to diagnose proxies.', {
        security: [{}],
        responses: { 200: { description: 'The request as the server received it.', ...body('seen') } },
      }),
    },
    components: {
      securitySchemes: {
        session: { type: 'http', scheme: 'bearer', description: 'The `session` of `joined` or `waiting`.' },
        token: { type: 'http', scheme: 'bearer', bearerFormat: 'JWT', description: 'If it is not in the body.' },
      },
      parameters: { room: { name: 'room', in: 'path', required: true, schema: refTo(roomName, names) } },
      responses: Object.fromEntries(
        byStatus.map(([status, codes]) => [status, { ...refusalsFor(codes), ...body('refusal') }]),
      ),
      schemas: components([roomName, ...Object.values(bodies)], names),
    },
  };
};

const eventsQuery = [
  {
    name: 'after',
    in: 'query',
    required: true,
    description: 'The number of the last event received.',
    schema: { type: 'integer', minimum: 0 },
  },
  {
    name: 'wait',
    in: 'query',
    description: 'Seconds that a poll may wait; the server has a maximum. Streams ignore it.',
    schema: { type: 'number', minimum: 0, default: 0 },
  },
  {
    name: 'Last-Event-ID',
    in: 'header',
    description: 'Sent by a stream that reconnects; takes precedence over `after`.',
    schema: { type: 'integer', minimum: 0 },
  },
];

/** A stream has one message in the data of each event, and `bye` before its end. */
const eventsAs = ({ content }: { content: Json }): Json => ({
  description: 'Use `seq` as the next `after`. With `Accept: text/event-stream`, the response is a stream.',
  content: {
    ...content,
    'text/event-stream': {
      schema: { type: 'string' },
      example: `id: ${serverExamples.chat?.seq}\ndata: ${JSON.stringify(serverExamples.chat)}\n\n`,
    },
  },
});

/** Every operation lists all errors, so that a new one cannot be forgotten. */
const operation = (
  method: 'get' | 'post',
  operationId: string,
  summary: string,
  { responses, ...rest }: Operation,
) => ({
  parameters: [{ $ref: '#/components/parameters/room' }],
  [method]: {
    operationId,
    summary,
    ...rest,
    responses: {
      ...responses,
      ...Object.fromEntries(byStatus.map(([status]) => [status, { $ref: `#/components/responses/${status}` }])),
    },
  },
});
type Operation = Json & { responses: Json };

/** Codes by status, without `left`, which is not an error. */
const byStatus: [string, ErrorCode[]][] = Object.entries(
  Object.groupBy(Object.keys(errors) as ErrorCode[], (code) => errors[code].status),
).filter(([status]) => Number(status) >= 400);

const refusalsFor = (codes: ErrorCode[]): Json => ({
  description: codes.map((code) => `- \`${code}\`: ${errors[code].message}`).join('\n'),
  ...(codes.some((code) => fateOf(code).retry) ? { headers: { 'Retry-After': retryAfter } } : {}),
});

const retryAfter = {
  description: 'Seconds to wait before retrying.',
  schema: { type: 'integer', minimum: 1 },
};
